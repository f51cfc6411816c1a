import { BoundFronts, type StageShape } from "./bound-fronts.ts";
import { type EvaluatedSplit, evaluateEnds, toSolution } from "./evaluate-split.ts";
import { MinHeap } from "./heap.ts";
import type { PartitionProblem, PartitionSolution, PartitionUnfit } from "./problem.ts";
import { StageCosts } from "./stage-costs.ts";
import { whyUnfit } from "./why-unfit.ts";

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

const MAX_SIMULATIONS = 40;
const MAX_EXPANSIONS = 4000;

/** Times that differ by less are the same up to rounding. */
const RELATIVE_TOLERANCE = 1e-9;

/** Stages of a split's first part, and the bound with the best of the rest. */
interface Begun {
  shapes: StageShape[];
  from: number;
}

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
  const costs = new StageCosts(problem);
  let limitMs = Math.min(cutoffMs, 1.02 * leastPossibleMs(costs));
  const most = mostPossibleMs(costs);
  const largestMemory = Math.max(...costs.memory);
  let unfit: PartitionUnfit | undefined;
  for (;;) {
    const fronts = new BoundFronts(costs, limitMs);
    const found = Number.isFinite(fronts.leastMs)
      ? search(costs, fronts, limitMs, options)
      : undefined;
    if (found !== undefined) {
      const isOpen = found.boundMs >= limitMs && isShorter(found.boundMs, found.best.simulatedMs);
      if (!isOpen || limitMs >= most)
        return toSolution(costs, found.best, found.boundMs, found.simulations);
      limitMs = Math.max(1.05 * limitMs, found.best.simulatedMs);
    } else {
      // Told apart at once, since raising the limit to the most takes long.
      unfit ??= whyUnfit(costs);
      if (limitMs >= most || unfit.missingBytes > 1e-6 * largestMemory) return unfit;
      if (limitMs >= cutoffMs) return { cutoffMs };
      limitMs = Math.min(cutoffMs, Math.max(1.2 * limitMs, 1e-6 * most));
    }
  }
}

interface Found {
  best: EvaluatedSplit;
  boundMs: number;
  simulations: number;
}

/** Best first over partial splits; undefined when none is within the limit. */
function search(
  costs: StageCosts,
  fronts: BoundFronts,
  limitMs: number,
  { maxSimulations = MAX_SIMULATIONS, maxExpansions = MAX_EXPANSIONS }: SolveOptions,
): Found | undefined {
  const { stages } = costs.problem;
  const heap = new MinHeap<Begun>();
  heap.push(fronts.leastMs, { shapes: [], from: 0 });
  let best: EvaluatedSplit | undefined;
  let boundMs = limitMs;
  let simulations = 0;
  let expansions = 0;
  for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
    const { priority, value } = entry;
    const isProven = best !== undefined && !isShorter(priority, best.simulatedMs);
    if (
      isProven ||
      simulations >= maxSimulations ||
      (best !== undefined && expansions >= maxExpansions)
    ) {
      boundMs = Math.min(boundMs, priority);
      break;
    }
    const stage = value.shapes.length;
    if (stage === stages) {
      const split = evaluateEnds(
        costs,
        value.shapes.map(({ to }) => to),
      );
      simulations++;
      if (split !== undefined && (best === undefined || isBetter(split, best))) best = split;
      continue;
    }
    expansions++;
    for (const shape of fronts.ends(stage, value.from)) {
      const shapes = [...value.shapes, shape];
      const bound = Math.max(priority, fronts.completionMs(shapes, stage + 1, shape.to));
      // A deeper one of the same bound first: it is nearer to a simulation.
      if (bound <= limitMs) heap.push(bound * (1 - 1e-14 * stage), { shapes, from: shape.to });
    }
  }
  if (best === undefined) return undefined;
  const improved = improve(costs, best);
  const { simulatedMs } = improved.best;
  const proven = isShorter(boundMs, simulatedMs) ? boundMs : simulatedMs;
  return { best: improved.best, boundMs: proven, simulations: simulations + improved.simulations };
}

/** Moves layers over the borders of neighbouring stages while that helps. */
function improve(
  costs: StageCosts,
  start: EvaluatedSplit,
): { best: EvaluatedSplit; simulations: number } {
  let best = start;
  let simulations = 0;
  for (let isMoving = true; isMoving && simulations < 400; ) {
    isMoving = false;
    for (let border = 0; border < best.ends.length - 1; border++) {
      for (const move of [-1, 1]) {
        const ends = [...best.ends];
        const end = (ends[border] as number) + move;
        const from = border === 0 ? 0 : (ends[border - 1] as number);
        if (end <= from || end >= (ends[border + 1] as number)) continue;
        ends[border] = end;
        simulations++;
        const split = evaluateEnds(costs, ends);
        if (split === undefined || !isBetter(split, best)) continue;
        best = split;
        isMoving = true;
      }
    }
  }
  return { best, simulations };
}

/** Faster; or as fast and more even, which wastes no memory and is what a person expects. */
function isBetter(a: EvaluatedSplit, b: EvaluatedSplit): boolean {
  if (isShorter(a.simulatedMs, b.simulatedMs)) return true;
  return !isShorter(b.simulatedMs, a.simulatedMs) && a.unevenness < b.unevenness * (1 - 1e-9);
}

function isShorter(a: number, b: number): boolean {
  return a < b * (1 - RELATIVE_TOLERANCE);
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
