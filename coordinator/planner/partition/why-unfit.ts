import type { PartitionUnfit } from "./problem.ts";
import type { StageCosts } from "./stage-costs.ts";

/**
 * Says which stage lacks how much memory in the split that misses least: the one
 * whose worst stage is best, by dynamic programming over stages from the last.
 */
export function whyUnfit(costs: StageCosts, fixed?: readonly number[]): PartitionUnfit {
  const ends = fixed ?? leastMissing(costs);
  let worst = { stage: 0, from: 0, to: 0, missing: Number.NEGATIVE_INFINITY };
  let from = 0;
  for (const [stage, to] of ends.entries()) {
    const missing = missingBytes(costs, stage, from, to);
    if (missing > worst.missing) worst = { stage, from, to, missing };
    from = to;
  }
  const { stage, missing } = worst;
  const need = (costs.memory[stage] as number) + missing;
  const which = fixed === undefined ? "in the split that comes closest " : "";
  return {
    missingBytes: missing,
    reason: `${which}stage ${stage} (layers ${worst.from} to ${worst.to - 1}) needs ${gigabytes(need)} with the cheapest options and has ${gigabytes(costs.memory[stage] as number)}: ${gigabytes(missing)} are missing; use more stages, options that keep less, or more memory`,
  };
}

function missingBytes(costs: StageCosts, stage: number, from: number, to: number): number {
  return costs.knapsack.missing(from, to, costs.budget(stage, from, to), costs.inFlight(stage));
}

function leastMissing(costs: StageCosts): number[] {
  const { stages } = costs.problem;
  const { numLayers } = costs;
  let behind = new Float64Array(numLayers + 1).fill(Number.POSITIVE_INFINITY);
  behind[numLayers] = Number.NEGATIVE_INFINITY;
  const choice: Int32Array[] = [];
  for (let stage = stages - 1; stage >= 0; stage--) {
    const least = new Float64Array(numLayers + 1).fill(Number.POSITIVE_INFINITY);
    const end = new Int32Array(numLayers + 1);
    for (let from = stage; from < numLayers; from++) {
      for (let to = from + 1; to <= numLayers; to++) {
        if (behind[to] === Number.POSITIVE_INFINITY) continue;
        const own = missingBytes(costs, stage, from, to);
        const worst = Math.max(own, behind[to] as number);
        if (worst >= (least[from] as number)) {
          // Longer stages only miss more.
          if (own >= (least[from] as number)) break;
          continue;
        }
        least[from] = worst;
        end[from] = to;
      }
    }
    choice.unshift(end);
    behind = least;
  }
  let from = 0;
  return choice.map((end) => {
    from = end[from] as number;
    return from;
  });
}

function gigabytes(bytes: number): string {
  return Math.abs(bytes) >= 1e8 ? `${(bytes / 1e9).toFixed(2)} GB` : `${bytes.toFixed(0)} bytes`;
}
