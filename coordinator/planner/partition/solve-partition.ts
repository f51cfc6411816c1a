import { roundMs } from "./block-term.ts";
import { BoundFronts } from "./bound-fronts.ts";
import { isShorter } from "./compare-times.ts";
import { toSolution } from "./evaluate-split.ts";
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
/** Fewer for a caller who asks for few simulations, or of so many stages that each takes long. */
const MAX_EXPANSIONS = 20_000;
const EXPANSIONS_PER_SIMULATION = 500;
const STAGES_EXPANDED = 16 * MAX_EXPANSIONS;

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
  options: SolveOptions = {},
): PartitionSolution | PartitionUnfit | PartitionCut {
  const { maxSimulations = MAX_SIMULATIONS } = options;
  const mostExpansions = Math.min(
    MAX_EXPANSIONS,
    EXPANSIONS_PER_SIMULATION * maxSimulations,
    STAGES_EXPANDED / problem.stages,
  );
  const { maxExpansions = mostExpansions } = options;
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

/** All ranks busy all the time, full and emptied once, or one micro-batch all the way. */
function leastPossibleMs({ problem, forward, backward, numLayers }: StageCosts): number {
  const workMs = (forward[numLayers] as number) + (backward[numLayers] as number);
  const { stages, microBatches, p2pMs } = problem;
  const wayMs = workMs + 2 * p2pMs * (stages - 1);
  const visits = microBatches - 1 - stages;
  const roundsMs = visits < 0 ? 0 : 2 * wayMs + roundMs({ size: stages, workMs, p2pMs }, visits);
  return Math.max((microBatches * workMs) / stages, wayMs, roundsMs);
}

/** One stage after the other with the dearest recompute, and every hop: no bound is larger. */
function mostPossibleMs({ problem, forward, backward, numLayers }: StageCosts): number {
  const { layers, stages, microBatches, p2pMs } = problem;
  const extra = layers.reduce(
    (sum, { options }) => sum + Math.max(...options.map(({ extraBackwardMs }) => extraBackwardMs)),
    0,
  );
  const total = (forward[numLayers] as number) + (backward[numLayers] as number) + extra;
  return 3 * (microBatches * total + 2 * p2pMs * (stages + microBatches));
}
