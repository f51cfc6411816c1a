import { stageBound } from "./bound.ts";
import { IntervalWork, type Pipeline } from "./pipeline.ts";

/**
 * Of the splits whose bound is at most `limit`, the one with the least sum of
 * squared stage work. Many splits share the best makespan, some with stages far
 * shorter than needed; this one wastes no memory and is what a person expects.
 * Dynamic programming over the stages from the last, O(p·L²).
 */
export function mostEvenSplit(pipeline: Pipeline, limit: number): number[] | undefined {
  const intervals = new IntervalWork(pipeline.work);
  const { numStages } = pipeline;
  const { numLayers } = intervals;
  const scale = intervals.total(0, numLayers) / numStages;
  let behind = new Float64Array(numLayers + 1).fill(Number.POSITIVE_INFINITY);
  behind[numLayers] = 0;
  const ends: Int32Array[] = [];
  for (let stage = numStages - 1; stage >= 0; stage--) {
    const cost = new Float64Array(numLayers + 1).fill(Number.POSITIVE_INFINITY);
    const end = new Int32Array(numLayers + 1);
    for (let from = stage; from < numLayers; from++) {
      for (let to = from + 1; to <= numLayers; to++) {
        const rest = behind[to] as number;
        if (rest === Number.POSITIVE_INFINITY) continue;
        if (stageBound(intervals, pipeline, stage, from, to) > limit) continue;
        const total = rest + (intervals.total(from, to) / scale) ** 2;
        if (total >= (cost[from] as number)) continue;
        cost[from] = total;
        end[from] = to;
      }
    }
    ends.unshift(end);
    behind = cost;
  }
  if (behind[0] === Number.POSITIVE_INFINITY) return undefined;
  let from = 0;
  return ends.map((end) => {
    const to = end[from] as number;
    const count = to - from;
    from = to;
    return count;
  });
}
