import type { RecomputeKind } from "../cost/workload.ts";
import { addLayers, noWork, type WorkOfModel } from "../schedule/work-of-model.ts";
import type { Candidate, PartCost } from "./candidate.ts";
import { hasLayer, type ModelParts, mayRecompute } from "./model-parts.ts";
import type { LeastLayer } from "./recompute-bound.ts";

/** What may be recomputed. */
type Kinds = readonly RecomputeKind[];

/** Forward and backward of all parts for one micro-batch, with the least recompute. */
export function leastTotalMs(
  { classCosts }: Candidate,
  { classes }: ModelParts,
  recompute: Kinds,
): number {
  let total = 0;
  for (const [index, { count, kinds }] of classes.entries()) {
    const cost = classCosts[index] as PartCost;
    const extraMs = leastRecomputeMs(cost, mayRecompute(kinds, recompute));
    total += count * (cost.forwardMs + cost.backwardMs + extraMs);
  }
  return total;
}

/** Work of all parts by kind, without communication that may hide behind it. */
export function workOfModel(
  { classCosts }: Candidate,
  { classes }: ModelParts,
  recompute: Kinds,
): WorkOfModel {
  const work = noWork();
  for (const [index, { count, kinds }] of classes.entries()) {
    const cost = classCosts[index] as PartCost;
    const { forwardMs, weightGradMs } = cost;
    const extraMs = leastRecomputeMs(cost, mayRecompute(kinds, recompute));
    const inputGradMs = cost.backwardMs - weightGradMs + extraMs;
    addLayers(work, { forwardMs, inputGradMs, weightGradMs }, count);
  }
  return work;
}

/**
 * Least time of the rank with most decoder layers for one micro-batch: layers are
 * whole, so it has the p-th part of them, rounded up, at best the cheapest.
 */
export function fullestRankMs(
  { classCosts, placement }: Candidate,
  { classes }: ModelParts,
  recompute: Kinds,
): number {
  let numLayers = 0;
  const times = classes.flatMap(({ kinds, count }, index) => {
    if (!hasLayer(kinds)) return [];
    numLayers += count;
    const cost = classCosts[index] as PartCost;
    const ms = cost.forwardMs + cost.backwardMs + leastRecomputeMs(cost, recompute);
    return [{ count, ms }];
  });
  times.sort((a, b) => a.ms - b.ms);
  let left = Math.ceil(numLayers / placement.pipelineParallel);
  let total = 0;
  for (const { count, ms } of times) {
    total += Math.min(left, count) * ms;
    left -= Math.min(left, count);
  }
  return total;
}

/** The least of every cost over the classes that hold a decoder layer. */
export function leastLayer({ classCosts }: Candidate, { classes }: ModelParts): LeastLayer {
  let least: LeastLayer | undefined;
  for (const [index, { kinds, count }] of classes.entries()) {
    if (!hasLayer(kinds)) continue;
    const { forwardMs, backwardMs, ...cost } = classCosts[index] as PartCost;
    const timeMs = forwardMs + backwardMs;
    least =
      least === undefined
        ? { ...cost, count, timeMs }
        : {
            count: least.count + count,
            timeMs: Math.min(least.timeMs, timeMs),
            staticBytes: Math.min(least.staticBytes, cost.staticBytes),
            activationBytes: leastOf(least.activationBytes, cost.activationBytes),
            recomputeMs: leastOf(least.recomputeMs, cost.recomputeMs),
          };
  }
  if (least === undefined) throw new RangeError("a model without layers");
  return least;
}

/** Extra backward time of the cheapest kind. */
export function leastRecomputeMs(
  { recomputeMs }: { recomputeMs: Record<RecomputeKind, number> },
  recompute: Kinds,
): number {
  let extra = Number.POSITIVE_INFINITY;
  for (const kind of recompute) extra = Math.min(extra, recomputeMs[kind]);
  return extra;
}

function leastOf(a: Record<RecomputeKind, number>, b: Record<RecomputeKind, number>) {
  return {
    none: Math.min(a.none, b.none),
    selective: Math.min(a.selective, b.selective),
    full: Math.min(a.full, b.full),
  };
}
