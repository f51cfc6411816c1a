import { blockTermMs } from "./block-term.ts";
import { isShorter } from "./compare-times.ts";
import { type EvaluatedSplit, evaluateEnds } from "./evaluate-split.ts";
import type { StageCosts } from "./stage-costs.ts";

/** Rounds over all borders at most. */
const MAX_ROUNDS = 20;

/** Moves layers over the borders of neighbouring stages while that helps. */
export function improveSplit(costs: StageCosts, start: EvaluatedSplit): EvaluatedSplit {
  let best = start;
  for (let round = 0, isMoving = true; isMoving && round < MAX_ROUNDS; round++) {
    isMoving = false;
    for (let border = 0; border < best.ends.length - 1; border++) {
      for (const move of [-1, 1]) {
        const ends = [...best.ends];
        const end = (ends[border] as number) + move;
        const from = border === 0 ? 0 : (ends[border - 1] as number);
        if (end <= from || end >= (ends[border + 1] as number)) continue;
        ends[border] = end;
        if (isShorter(best.simulatedMs, leastMs(costs, ends))) continue;
        const split = evaluateEnds(costs, ends);
        if (split === undefined || !isBetter(split, best)) continue;
        best = split;
        isMoving = true;
      }
    }
  }
  return best;
}

/** A lower bound on a split's makespan, cheaper than to simulate it. */
function leastMs(costs: StageCosts, ends: readonly number[]): number {
  const { problem } = costs;
  const sums = [0];
  let blockMs = Number.NEGATIVE_INFINITY;
  for (const [stage, to] of ends.entries()) {
    const from = ends[stage - 1] ?? 0;
    const work = costs.forwardMs(from, to) + costs.backwardMs(from, to);
    sums.push((sums[stage] as number) + work + costs.leastExtraMs(stage, from, to));
    blockMs = Math.max(blockMs, blockTermMs(sums, stage, problem));
  }
  return 2 * ((sums.at(-1) as number) + 2 * problem.p2pMs * (problem.stages - 1)) + blockMs;
}

/** Faster; or as fast and more even, which wastes no memory and is what a person expects. */
export function isBetter(a: EvaluatedSplit, b: EvaluatedSplit): boolean {
  if (isShorter(a.simulatedMs, b.simulatedMs)) return true;
  return !isShorter(b.simulatedMs, a.simulatedMs) && a.unevenness < b.unevenness * (1 - 1e-9);
}
