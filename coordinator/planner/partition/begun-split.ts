import { begunMakespanMs } from "./begun-makespan.ts";
import { blockTermMs } from "./block-term.ts";
import type { BoundFronts } from "./bound-fronts.ts";
import type { StageShape } from "./stage-bounds.ts";
import type { StageCosts } from "./stage-costs.ts";

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
  /** Recompute of these stages and what all others need at least. */
  extraMs: number;
  /** Whether simulating these stages has gone into the bound. */
  isSimulated: boolean;
}

/** No stage yet. */
export function emptySplit(fronts: BoundFronts): BegunSplit {
  return {
    shapes: [],
    from: 0,
    boundMs: fronts.leastMs,
    sums: [0],
    blockMs: Number.NEGATIVE_INFINITY,
    extraMs: fronts.leastExtraMs(0, 0),
    isSimulated: true,
  };
}

/** All ways to go on by one stage, the least bound first. */
export function nextSplits(
  begun: BegunSplit,
  fronts: BoundFronts,
  { problem }: StageCosts,
): BegunSplit[] {
  const stage = begun.shapes.length;
  const next = fronts.ends(stage, begun.from).map((shape) => {
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
    // Blocks tell little where micro-batches are too few to go round.
    const isSimulated = problem.microBatches > problem.stages || shapes.length === problem.stages;
    return { shapes, from: shape.to, boundMs, sums, blockMs, extraMs, isSimulated };
  });
  return next.sort((a, b) => a.boundMs - b.boundMs);
}

/** The same stages with a bound that their simulation raises. */
export function simulated(begun: BegunSplit, fronts: BoundFronts, costs: StageCosts): BegunSplit {
  const { shapes, sums, extraMs } = begun;
  const { p2pMs } = costs.problem;
  const inFront = (sums[shapes.length] as number) + 2 * p2pMs * (shapes.length - 1);
  const boundMs = begunMakespanMs(
    shapes.map(({ from, to }) => costs.forwardMs(from, to)),
    shapes.map(({ from, to, extraMs }) => costs.backwardMs(from, to) + extraMs),
    fronts.totalMs + extraMs - inFront,
    costs.problem,
  );
  return { ...begun, boundMs: Math.max(begun.boundMs, boundMs), isSimulated: true };
}
