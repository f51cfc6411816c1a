import { isRunState } from "../run/run-state.ts";
import type { RunLife, RunSpec, RunWish, StoredRun } from "./store.ts";

/** A wish as both stores keep it. */
export type WishRecord = Omit<RunWish, "phase"> & { phase: string };

/** A run as both stores keep it: text and numbers. */
export type RunRecord = WishRecord & {
  runId: string;
  spec: string;
  life: string;
  generation: number;
};

/** Of a run that was just submitted. */
export const NEW_LIFE: RunLife = {
  state: "queued",
  reason: "submitted",
  restarts: 0,
  countedRestarts: 0,
  stepsLost: 0,
  placed: [],
  plan: null,
  startedAtMs: 0,
  exitCode: 0,
};

const PHASES: readonly RunWish["phase"][] = ["run", "suspend", "stop", "kill"];

export function storedRun(record: RunRecord): StoredRun {
  const { runId } = record;
  // Only what a store wrote itself comes back here.
  const life = JSON.parse(record.life) as RunLife;
  if (!isRunState(life.state)) throw new Error(`run ${runId} has the unknown state ${life.state}`);
  return {
    runId,
    spec: JSON.parse(record.spec) as RunSpec,
    wish: storedWish(record),
    life,
    generation: record.generation,
  };
}

export function storedWish(record: WishRecord): RunWish {
  const phase = PHASES.find((name) => name === record.phase);
  if (phase === undefined) throw new Error(`a run has the unknown phase ${record.phase}`);
  const { minRanks, maxRanks, checkpoints } = record;
  return { phase, minRanks, maxRanks, checkpoints };
}
