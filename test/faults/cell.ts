import assert from "node:assert/strict";
import type { EventRecord } from "../../coordinator/report/records.ts";
import type { Cluster } from "./cluster.ts";
import type { JobKind } from "./job.ts";
import type { Random } from "./random.ts";
import type { Run, Sizes } from "./run.ts";

export type Context = {
  cluster: Cluster;
  run: Run;
  random: Random;
  /** For the table: a figure that is not asserted. */
  note(text: string): void;
};

/** One fault, and what must come of it. */
export type Cell = {
  name: string;
  kind: JobKind;
  sizes?: Partial<Sizes>;
  /** All restarts that must come of it, or the fewest and the most; and those that count against the limit. */
  restarts: number | readonly [least: number, most: number];
  counted: number;
  /** The run must end as failed, for this reason. */
  fails?: RegExp;
  /** Agents must be nodes that can be cut off. */
  needsNetworks?: true;
  /** Before the run is submitted; returns what undoes it. */
  prepare?(cluster: Cluster, runId: string): () => void;
  /** Does the harm, and waits until what must come of it has come. */
  strike(context: Context): Promise<void>;
};

export const NUM_RANKS = 8;
/** Steps that a run makes after a fault before it is taken to be well. */
export const WELL_AFTER_STEPS = 6;

/** Waits until the run has recovered from a failure told like that; returns what was told. */
export async function recovered(run: Run, after: number, reason: RegExp): Promise<EventRecord> {
  const recovering = await run.event("run.recovering", after);
  assert.match(recovering.message, reason);
  await run.event("run.recovered", after);
  return recovering;
}

/** Carries out a cell on a run that trains; fails if anything else came of it than must. */
export async function carryOut(cell: Cell, context: Context): Promise<void> {
  const { run, random } = context;
  const before = await run.status();
  await run.advance(random.whole(1, 6));
  await cell.strike(context);
  const after = cell.fails ? await run.ended() : await wellAgain(run);
  const told = run.events.filter(({ event }) => event === "run.recovering");
  const what = told.map(({ message }) => message).join("; ");
  const restarts = after.restarts - before.restarts;
  const [least, most] =
    typeof cell.restarts === "number" ? [cell.restarts, cell.restarts] : cell.restarts;
  assert.ok(restarts >= least && restarts <= most, `${restarts} restarts: ${what}`);
  assert.equal(after.countedRestarts - before.countedRestarts, cell.counted, `counted: ${what}`);
  assert.equal(Number(after.generation - before.generation), restarts, "generations");
  if (cell.fails) assert.match(after.reason, cell.fails);
}

async function wellAgain(run: Run) {
  await run.advance(WELL_AFTER_STEPS);
  return run.status();
}
