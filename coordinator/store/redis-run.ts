import { isEnded } from "../run/run-state.ts";
import { storedRun, storedWish } from "./run-record.ts";
import type { RunLife, RunWish, StoredRun } from "./store.ts";

/** Whether the run is over, as the scripts take it. */
export function endedFlag(life: RunLife): number {
  return Number(isEnded(life.state));
}

/** What the scripts that add a run take of it: id, whether it is over, its hash's fields. */
export function insertion({ runId, spec, wish, life, generation }: StoredRun) {
  const { phase, minRanks, maxRanks, checkpoints } = wish;
  const texts = { spec: JSON.stringify(spec), life: JSON.stringify(life), phase };
  const fields = { ...texts, minRanks, maxRanks, checkpoints, generation };
  return [runId, endedFlag(life), ...Object.entries(fields).flat()];
}

/** A run of its hash; undefined if there is none. */
export function runOfHash(runId: string, hash: Record<string, string>): StoredRun | undefined {
  const { spec, life, phase } = hash;
  if (spec === undefined || life === undefined || phase === undefined) return undefined;
  const [minRanks, maxRanks] = [Number(hash.minRanks), Number(hash.maxRanks)];
  const [checkpoints, generation] = [Number(hash.checkpoints), Number(hash.generation)];
  return storedRun({
    ...{ runId, spec, life, phase, minRanks, maxRanks, checkpoints, generation },
  });
}

/** A wish of the reply of a script that changes it. */
export function wishOfReply(reply: unknown): RunWish | undefined {
  if (reply === null) return undefined;
  const [phase = "", ...counts] = reply as string[];
  const [minRanks = 0, maxRanks = 0, checkpoints = 0] = counts.map(Number);
  return storedWish({ phase, minRanks, maxRanks, checkpoints });
}
