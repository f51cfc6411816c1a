import { type BegunSplit, emptySplit, nextSplits } from "./begun-split.ts";
import type { BoundFronts } from "./bound-fronts.ts";
import { type EvaluatedSplit, evaluateEnds } from "./evaluate-split.ts";
import { MinHeap } from "./heap.ts";
import { improveSplit, isBetter, isShorter } from "./improve-split.ts";
import type { StageCosts } from "./stage-costs.ts";

export interface SearchLimits {
  /** Splits slower than this are not wanted. */
  limitMs: number;
  maxSimulations: number;
  maxExpansions: number;
}

export interface FoundSplit {
  best: EvaluatedSplit;
  /** No split is faster, unless it is slower than the limit. */
  boundMs: number;
  simulations: number;
}

/**
 * The best split, best first over the splits' first stages by their bounds;
 * undefined when none is within the limit.
 */
export function searchSplits(
  costs: StageCosts,
  fronts: BoundFronts,
  { limitMs, maxSimulations, maxExpansions }: SearchLimits,
): FoundSplit | undefined {
  const { problem } = costs;
  const heap = new MinHeap<BegunSplit>();
  // A deeper one of the same bound first: it is nearer to a simulation.
  const push = (begun: BegunSplit) =>
    heap.push(begun.boundMs * (1 - 1e-14 * begun.shapes.length), begun);
  push(emptySplit(fronts));
  let best: EvaluatedSplit | undefined;
  let boundMs = limitMs;
  let simulations = 0;
  let expansions = 0;
  for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
    let begun: BegunSplit | undefined = entry.value;
    const isProven = best !== undefined && !isShorter(begun.boundMs, best.simulatedMs);
    const isSpent = simulations >= maxSimulations || expansions >= maxExpansions;
    if (best !== undefined && (isProven || isSpent)) {
      boundMs = Math.min(boundMs, begun.boundMs);
      break;
    }
    // Straight down to a whole split while there is none to compare with.
    while (begun !== undefined && begun.shapes.length < problem.stages) {
      expansions++;
      const next = nextSplits(begun, fronts, problem).sort((a, b) => a.boundMs - b.boundMs);
      // Any split will do when too many begin well and end beyond the limit.
      const most = best?.simulatedMs ?? (isSpent ? Number.POSITIVE_INFINITY : limitMs);
      begun = best === undefined && (next[0]?.boundMs ?? most) <= most ? next.shift() : undefined;
      for (const each of next) {
        if (each.boundMs <= limitMs && (best === undefined || isShorter(each.boundMs, most))) {
          push(each);
        }
      }
    }
    if (begun === undefined) continue;
    const ends = begun.shapes.map(({ to }) => to);
    const split = evaluateEnds(costs, ends);
    simulations++;
    if (split === undefined || (best !== undefined && !isBetter(split, best))) continue;
    best = improveSplit(costs, split);
  }
  if (best === undefined) return undefined;
  const { simulatedMs } = best;
  return { best, boundMs: isShorter(boundMs, simulatedMs) ? boundMs : simulatedMs, simulations };
}
