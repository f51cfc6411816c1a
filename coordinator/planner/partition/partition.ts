import { simulate1F1B } from "../schedule/simulate.ts";
import { mostEvenSplit } from "./most-even-split.ts";
import { type Pipeline, stageWork } from "./pipeline.ts";
import { BoundTable } from "./splits-by-bound.ts";

/** The best split found and what is known about it. */
export interface Partition {
  layersPerStage: number[];
  /** Simulated 1F1B time, in the unit of the work. */
  makespan: number;
  /** No split at all is faster than this. */
  bound: number;
  /** (makespan − bound) / makespan; 0 certifies the optimum. */
  gap: number;
  simulations: number;
}

/** Times that differ by less are the same up to rounding. */
export const RELATIVE_TOLERANCE = 1e-9;

const MAX_SIMULATIONS = 500;

/**
 * The fastest split under 1F1B: simulate splits in order of their bound until
 * the bound passes the best simulated time (then it is optimal), or until
 * `maxSimulations` (then `gap` says how far from certain it is).
 * Among equally fast splits the most even one is taken.
 */
export function partition(pipeline: Pipeline, maxSimulations = MAX_SIMULATIONS): Partition {
  let best: { layersPerStage: number[]; makespan: number } | undefined;
  let bound = Number.POSITIVE_INFINITY;
  let simulations = 0;
  for (const split of new BoundTable(pipeline).splits()) {
    const isProven = best !== undefined && !isShorter(split.bound, best.makespan);
    if (isProven || simulations === maxSimulations) {
      bound = split.bound;
      break;
    }
    const makespan = splitMakespan(pipeline, split.layersPerStage);
    simulations++;
    if (best === undefined || isShorter(makespan, best.makespan)) {
      best = { layersPerStage: split.layersPerStage, makespan };
    }
  }
  if (best === undefined) throw new RangeError("more stages than layers");
  const even = mostEvenSplit(pipeline, best.makespan * (1 + RELATIVE_TOLERANCE));
  if (even !== undefined) {
    const makespan = splitMakespan(pipeline, even);
    if (!isShorter(best.makespan, makespan)) best = { layersPerStage: even, makespan };
  }
  // Splits never simulated take at least `bound`, which is none when all were.
  const proven = Math.min(bound, best.makespan);
  return { ...best, bound: proven, gap: (best.makespan - proven) / best.makespan, simulations };
}

/** Simulated 1F1B time of one split. */
export function splitMakespan(pipeline: Pipeline, layersPerStage: readonly number[]): number {
  return simulate1F1B(stageWork(pipeline.work, layersPerStage), pipeline.numMicroBatches);
}

/** Shorter by more than rounding. */
export function isShorter(a: number, b: number): boolean {
  return a < b * (1 - RELATIVE_TOLERANCE);
}
