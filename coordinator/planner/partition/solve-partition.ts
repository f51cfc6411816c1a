import { BoundFronts } from "./bound-fronts.ts";
import { toSolution } from "./evaluate-split.ts";
import { isShorter } from "./improve-split.ts";
import type { PartitionProblem, PartitionSolution, PartitionUnfit } from "./problem.ts";
import { searchSplits } from "./search-splits.ts";
import { StageCosts } from "./stage-costs.ts";
import { fitsWithin, whyUnfit } from "./why-unfit.ts";

export interface SolveOptions {
  /** Simulated splits at most; the gap tells what that leaves open. */
  maxSimulations?: number | undefined;
  /** Partial splits looked at at most. */
  maxExpansions?: number | undefined;
}

/** No split is faster than the cutoff. */
export interface PartitionCut {
  cutoffMs: number;
}

const MAX_SIMULATIONS = 400;
const MAX_EXPANSIONS = 4000;

/**
 * Stages and recompute of least makespan under 1F1B within the memory. The
 * makespan grows with every duration, so in each stage the least recompute that
 * fits is best. Splits are simulated in order of their bound until the bound
 * passes the best simulated time: then it is optimal, and `gap` is 0. Where the
 * limits end that sooner, `gap` says how much faster another split might be.
 */
export function solvePartition(
  problem: PartitionProblem,
  options: SolveOptions = {},
): PartitionSolution | PartitionUnfit {
  const solution = solvePartitionUnder(problem, Number.POSITIVE_INFINITY, options);
  if ("cutoffMs" in solution) throw new RangeError("a split slower than any limit");
  return solution;
}

/**
 * `solvePartition` for a caller who knows a time to beat.
 *
 * @param cutoffMs only a split faster than this is wanted
 */
export function solvePartitionUnder(
  problem: PartitionProblem,
  cutoffMs: number,
  { maxSimulations = MAX_SIMULATIONS, maxExpansions = MAX_EXPANSIONS }: SolveOptions = {},
): PartitionSolution | PartitionUnfit | PartitionCut {
  const costs = new StageCosts(problem);
  let limitMs = Math.min(cutoffMs, 1.02 * leastPossibleMs(costs));
  const most = mostPossibleMs(costs);
  let isFit: boolean | undefined;
  for (;;) {
    const fronts = new BoundFronts(costs, limitMs);
    const found = Number.isFinite(fronts.leastMs)
      ? searchSplits(costs, fronts, { limitMs, maxSimulations, maxExpansions })
      : undefined;
    if (found !== undefined) {
      const { best, boundMs, simulations } = found;
      const isOpen = boundMs >= limitMs && isShorter(boundMs, best.simulatedMs);
      if (!isOpen || limitMs >= most) return toSolution(costs, best, boundMs, simulations);
      if (limitMs >= cutoffMs) return { cutoffMs };
      limitMs = Math.min(cutoffMs, Math.max(1.05 * limitMs, best.simulatedMs));
    } else {
      // Told apart at once, since raising the limit to the most takes long.
      isFit ??= fitsWithin(costs, 1e-6 * Math.max(...costs.memory));
      if (limitMs >= most || !isFit) return whyUnfit(costs);
      if (limitMs >= cutoffMs) return { cutoffMs };
      limitMs = Math.min(cutoffMs, Math.max(1.2 * limitMs, 1e-6 * most));
    }
  }
}

/** All ranks busy all the time, or one micro-batch all the way. */
function leastPossibleMs({ problem, forward, backward, numLayers }: StageCosts): number {
  const total = (forward[numLayers] as number) + (backward[numLayers] as number);
  const { stages, microBatches, p2pMs } = problem;
  return Math.max((microBatches * total) / stages, total + 2 * p2pMs * (stages - 1));
}

/** One stage after the other with the dearest recompute: no bound is larger. */
function mostPossibleMs({ problem, forward, backward, numLayers }: StageCosts): number {
  const extra = problem.layers.reduce(
    (sum, { options }) => sum + Math.max(...options.map(({ extraBackwardMs }) => extraBackwardMs)),
    0,
  );
  const total = (forward[numLayers] as number) + (backward[numLayers] as number) + extra;
  return 3 * (problem.microBatches * total + 2 * problem.p2pMs * problem.stages);
}
