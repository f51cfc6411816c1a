import assert from "node:assert/strict";
import { RunState } from "../../proto/gen/moestro/v1/run_pb.js";
import { type Cell, carryOut } from "./cell.ts";
import { checkRun } from "./checks.ts";
import type { Cluster } from "./cluster.ts";
import type { Random } from "./random.ts";
import type { References } from "./reference.ts";
import { Run } from "./run.ts";

/** More than any cell lets a run make: it is stopped when its cell is done. */
const MANY_STEPS = 1_000_000;
/** Two checkpoints are committed by then. */
const FIRST_STEPS = 12;

export type Trial = { restarts: number; seconds: number; notes: string[] };

/** A cell on a run of its own: from its submission to the checks of all that it left. */
export async function tryCell(
  cell: Cell,
  runId: string,
  cluster: Cluster,
  random: Random,
  references: References,
): Promise<Trial> {
  const start = performance.now();
  const notes: string[] = [];
  const undo = cell.prepare?.(cluster, runId);
  try {
    const { kind, sizes = {} } = cell;
    const run = await Run.submit(cluster, runId, { kind, sizes, steps: MANY_STEPS });
    await run.reach(FIRST_STEPS);
    await carryOut(cell, { cluster, run, random, note: (text) => notes.push(text) });
    const { state, reason, restarts } = cell.fails ? await run.ended() : await run.stop();
    assert.equal(state, cell.fails ? RunState.FAILED : RunState.STOPPED, reason);
    const seconds = (performance.now() - start) / 1000;
    await cluster.heal();
    await checkRun(run, await references.of(cluster, kind, run.lastStep));
    return { restarts, seconds, notes };
  } finally {
    undo?.();
  }
}
