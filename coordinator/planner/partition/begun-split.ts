import { blockTermMs } from "./block-term.ts";
import type { BoundFronts, StageShape } from "./bound-fronts.ts";
import type { PartitionProblem } from "./problem.ts";

/** The first stages of a split, with a bound on all splits that begin so. */
export interface BegunSplit {
  shapes: readonly StageShape[];
  /** First layer of the next stage. */
  from: number;
  boundMs: number;
  /** Work of the stages in front of each, once, with recompute. */
  sums: readonly number[];
  /** Largest of their block terms. */
  blockMs: number;
}

/** No stage yet. */
export function emptySplit(fronts: BoundFronts): BegunSplit {
  const blockMs = Number.NEGATIVE_INFINITY;
  return { shapes: [], from: 0, boundMs: fronts.leastMs, sums: [0], blockMs };
}

/** All ways to go on by one stage. */
export function nextSplits(
  begun: BegunSplit,
  fronts: BoundFronts,
  problem: PartitionProblem,
): BegunSplit[] {
  const stage = begun.shapes.length;
  return fronts.ends(stage, begun.from).map((shape) => {
    const shapes = [...begun.shapes, shape];
    const sums = [...begun.sums, (begun.sums[stage] as number) + fronts.workMs(shape)];
    const blockMs = Math.max(begun.blockMs, blockTermMs(sums, stage, problem));
    const extraMs =
      shapes.reduce((sum, each) => sum + each.extraMs, 0) +
      fronts.leastExtraMs(stage + 1, shape.to);
    const boundMs = Math.max(
      begun.boundMs,
      fronts.completionMs(shapes, stage + 1, shape.to),
      2 * (fronts.totalMs + extraMs) + blockMs,
    );
    return { shapes, from: shape.to, boundMs, sums, blockMs };
  });
}
