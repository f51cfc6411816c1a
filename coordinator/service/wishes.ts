import type { RunLife, StoredRun } from "../store/store.ts";
import { isOutside, type SupervisedRun } from "./supervised-run.ts";

/**
 * Sees to what is wished of a run with ranks. Returns why it is to give its slots back and
 * queue again, if it is. Idempotent.
 */
export function steer(run: SupervisedRun, stored: StoredRun): string | undefined {
  const { supervisor } = run;
  const { wish } = stored;
  run.stored = { ...stored, life: run.stored.life };
  supervisor.bounds(wish.minRanks, wish.maxRanks);
  if (wish.checkpoints > run.checkpoints) supervisor.saveCheckpoint();
  run.checkpoints = wish.checkpoints;
  if (wish.phase === "stop" || wish.phase === "kill") supervisor.stop(wish.phase === "stop");
  else if (wish.phase === "suspend") {
    run.isLeaving = true;
    supervisor.suspend("suspended", "asked to suspend");
  } else if (isOutside(run, wish)) return `asked for ${wish.minRanks} to ${wish.maxRanks} ranks`;
  return undefined;
}

/** What becomes, as is wished, of a run without ranks; undefined if it goes on as it is. */
export function settled({ wish, life }: StoredRun): RunLife | undefined {
  if (wish.phase === "stop" || wish.phase === "kill") {
    return {
      ...life,
      state: "stopped",
      reason: "stopped before it started, as asked",
      placed: [],
    };
  }
  if (wish.phase === "suspend" && life.state === "queued") {
    return { ...life, state: "suspended", reason: "asked to suspend", placed: [] };
  }
  if (wish.phase === "run" && life.state === "suspended") {
    return { ...life, state: "queued", reason: "resumed", placed: [] };
  }
  return undefined;
}
