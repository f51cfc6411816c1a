import { memoryLimitBytes } from "../cost/memory/memory-limit.ts";
import { partMemory } from "../cost/memory/part-memory.ts";
import { partTime } from "../cost/time/part-time.ts";
import { straggleOf } from "../cost/time/straggle.ts";
import type { PartKind, PartTime, Placement, RecomputeKind, Workload } from "../cost/workload.ts";
import { roundMs } from "../partition/block-term.ts";
import { inFlightOf } from "../partition/stage-costs.ts";
import {
  leastInFlight,
  type PathBound,
  pathBoundMs,
  type WorkOfModel,
} from "../schedule/path-bound.ts";
import { type Candidate, gpusOf, type PartCost } from "./candidate.ts";
import type { Constraints } from "./constraints.ts";
import type { ModelParts } from "./model-parts.ts";
import { overheadMs } from "./overhead.ts";
import { fullestExtraMs, type LeastLayer, leastExtraMs } from "./recompute-bound.ts";
import { hidesCommunication, SLOWDOWN_BESIDE_COMMUNICATION } from "./scheduled-costs.ts";
import type { AttentionKey, LayerKey } from "./space.ts";

/** Sizes that do not matter to the time of a layer, for looking it up. */
function anyArrangement(ranks: number, key: LayerKey): Placement {
  const ranksOfStage = ranks;
  return {
    ...key,
    pipelineParallel: 1,
    dataParallel: ranksOfStage / (key.tensorParallel * key.contextParallel),
    expertDataParallel: ranksOfStage / (key.expertParallel * key.expertTensorParallel),
    virtualPipeline: 1,
  };
}

/**
 * Whether one micro-batch is too large whatever is recomputed and however the
 * weights are spread: some rank holds the head, and some a layer's input.
 */
export function isTooLarge(
  workload: Workload,
  constraints: Constraints,
  key: AttentionKey,
): boolean {
  const placement = anyArrangement(constraints.ranks, {
    ...key,
    expertParallel: 1,
    expertTensorParallel: 1,
  });
  const limit = memoryLimitBytes(workload.cluster, constraints.reserveBytes);
  const { activationBytes, workspaceBytes } = partMemory(workload, placement, "head");
  return activationBytes.full + workspaceBytes.full > limit;
}

/**
 * Time of all parts for one micro-batch on one rank, with the least recompute
 * the constraints allow, over what the cluster has to do: no schedule does the
 * batch faster than all ranks busy all the time.
 */
export function layerBoundMs(
  workload: Workload,
  constraints: Constraints,
  parts: ModelParts,
  key: LayerKey,
): number {
  const placement = anyArrangement(constraints.ranks, key);
  const share =
    (key.tensorParallel * key.contextParallel) / (constraints.ranks * key.microBatchSize);
  return workload.globalBatchSize * share * leastPartsMs(workload, placement, parts, constraints);
}

/** `leastTotalMs` of a placement whose memory nobody asks for: there are many of them. */
function leastPartsMs(
  workload: Workload,
  placement: Placement,
  { classes }: ModelParts,
  { recompute, schedules }: Pick<Constraints, "recompute" | "schedules">,
): number {
  const mayHide = schedules.some(hidesCommunication);
  const times = new Map<PartKind, PartTime>();
  const timeOf = (kind: PartKind) => {
    const time = times.get(kind) ?? partTime(workload, placement, kind);
    times.set(kind, time);
    return time;
  };
  let total = 0;
  let compute = 0;
  let communication = 0;
  for (const { kinds, count } of classes) {
    const own = kinds.map(timeOf);
    const sum = (pick: (time: PartTime) => number) =>
      count * own.reduce((ms, time) => ms + pick(time), 0);
    const sent = sum((time) => time.forwardCommunicationMs + time.backwardCommunicationMs);
    const extraMs = Math.min(...recompute.map((kind) => sum((time) => time.recomputeMs[kind])));
    const workMs = sum((time) => time.forwardMs + time.backwardMs) + extraMs;
    total += workMs;
    compute += workMs - sent;
    communication += sent;
  }
  const hidden = Math.max(SLOWDOWN_BESIDE_COMMUNICATION * compute, communication);
  return straggleOf(gpusOf(placement)) * (mayHide ? Math.min(total, hidden) : total);
}

/** Forward and backward of all parts for one micro-batch. */
function leastTotalMs(
  { classCosts }: Candidate,
  { classes }: ModelParts,
  { recompute }: Pick<Constraints, "recompute">,
): number {
  let total = 0;
  for (const [index, { count }] of classes.entries()) {
    const { forwardMs, backwardMs, recomputeMs } = classCosts[index] as PartCost;
    let extra = Number.POSITIVE_INFINITY;
    for (const kind of recompute) extra = Math.min(extra, recomputeMs[kind]);
    total += count * (forwardMs + backwardMs + extra);
  }
  return total;
}

/** Work of all parts by kind, without communication that may hide behind it. */
function workOfModel(
  { classCosts }: Candidate,
  { classes }: ModelParts,
  { recompute }: Pick<Constraints, "recompute">,
): WorkOfModel {
  const work: WorkOfModel = {
    forwardMs: 0,
    inputGradMs: 0,
    weightGradMs: 0,
    leastForwardMs: Number.POSITIVE_INFINITY,
    leastInputGradMs: Number.POSITIVE_INFINITY,
    leastWeightGradMs: Number.POSITIVE_INFINITY,
  };
  for (const [index, { count }] of classes.entries()) {
    const cost = classCosts[index] as PartCost;
    let extra = Number.POSITIVE_INFINITY;
    for (const kind of recompute) extra = Math.min(extra, cost.recomputeMs[kind]);
    const inputGradMs = cost.backwardMs - cost.weightGradMs + extra;
    work.forwardMs += count * cost.forwardMs;
    work.inputGradMs += count * inputGradMs;
    work.weightGradMs += count * cost.weightGradMs;
    work.leastForwardMs = Math.min(work.leastForwardMs, cost.forwardMs);
    work.leastInputGradMs = Math.min(work.leastInputGradMs, inputGradMs);
    work.leastWeightGradMs = Math.min(work.leastWeightGradMs, cost.weightGradMs);
  }
  return work;
}

/**
 * Least time of the rank with most decoder layers for one micro-batch: layers are
 * whole, so it has the p-th part of them, rounded up, at best the cheapest.
 */
function fullestRankMs(
  { classCosts, placement }: Candidate,
  { classes }: ModelParts,
  { recompute }: Pick<Constraints, "recompute">,
): number {
  let numLayers = 0;
  const times = classes.flatMap(({ kinds, count }, index) => {
    if (!hasLayer(kinds)) return [];
    numLayers += count;
    const { forwardMs, backwardMs, recomputeMs } = classCosts[index] as PartCost;
    let extra = Number.POSITIVE_INFINITY;
    for (const kind of recompute) extra = Math.min(extra, recomputeMs[kind]);
    return [{ count, ms: forwardMs + backwardMs + extra }];
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

/**
 * The terms of partition/block-term.ts that hold for every split, for m > p: all
 * stages go round, and the fullest stage alone, where at most as full ones lie
 * before it: T ≥ 2A − i·(t + 2c) + (m − 1 − p + i)·t for the i-th.
 *
 * @param totalMs all stages' work for one micro-batch
 * @param fullestMs at most the fullest stage's
 */
function filledMs(
  { placement, numMicroBatches: m, p2pMs }: Candidate,
  totalMs: number,
  fullestMs: number,
): number {
  const p = placement.pipelineParallel;
  const hopsMs = 2 * p2pMs * (p - 1);
  return Math.max(
    2 * (totalMs + hopsMs) + roundMs({ size: p, workMs: totalMs, p2pMs }, m - 1 - p),
    2 * totalMs + hopsMs + (m - 1 - p) * fullestMs,
  );
}

/** What a placement is judged against. */
export interface BoundLimits extends Pick<Constraints, "recompute" | "reserveBytes"> {
  /** Only a step under this is wanted. */
  limitMs: number;
}

function hasLayer(kinds: readonly PartKind[]): boolean {
  return kinds.includes("dense") || kinds.includes("moe");
}

/** The least of every cost over the classes that hold a decoder layer. */
function leastLayer({ classCosts }: Candidate, { classes }: ModelParts): LeastLayer {
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

function leastOf(a: Record<RecomputeKind, number>, b: Record<RecomputeKind, number>) {
  return {
    none: Math.min(a.none, b.none),
    selective: Math.min(a.selective, b.selective),
    full: Math.min(a.full, b.full),
  };
}

/**
 * Lower bound on the step of one arrangement, whatever the split, with the least
 * recompute that fits. Infinite when that does not exist for a step under
 * `limitMs`.
 *
 * @param path of another schedule, with whose paths and micro-batches in flight
 *   the same holds
 */
export function arrangementBoundMs(
  candidate: Candidate,
  parts: ModelParts,
  limits: BoundLimits,
  path?: PathBound,
): number {
  const { workload, placement, classCosts } = candidate;
  const pipelineMs = pipelineBoundMs(candidate, parts, limits, path);
  if (pipelineMs === Number.POSITIVE_INFINITY) return pipelineMs;
  const p = placement.pipelineParallel;
  let dense = 0;
  let expert = 0;
  for (const [index, { count }] of parts.classes.entries()) {
    const { parameters } = classCosts[index] as PartCost;
    dense += count * parameters.dense;
    expert += count * parameters.expert;
  }
  return pipelineMs + overheadMs(workload, placement, { dense: dense / p, expert: expert / p });
}

/** `arrangementBoundMs` without what follows the pipeline. */
export function pipelineBoundMs(
  candidate: Candidate,
  parts: ModelParts,
  { recompute, reserveBytes, limitMs }: BoundLimits,
  path?: PathBound,
): number {
  const { workload, placement } = candidate;
  const p = placement.pipelineParallel;
  const m = candidate.numMicroBatches;
  const limit = memoryLimitBytes(workload.cluster, reserveBytes);
  let staticBytes = 0;
  for (const [index, { count }] of parts.classes.entries()) {
    staticBytes += count * (candidate.classCosts[index] as PartCost).staticBytes;
  }
  if (staticBytes / p > limit) return Number.POSITIVE_INFINITY;
  const least = leastLayer(candidate, parts);
  // Layers are whole; the tolerance is for rounding.
  const mostLayers = Math.min(least.count, Math.floor(limitMs / (m * least.timeMs) + 1e-9));
  if (mostLayers * p < least.count) return Number.POSITIVE_INFINITY;
  const inFlight =
    path === undefined
      ? Array.from({ length: p }, (_, stage) => inFlightOf(stage, p, m))
      : path.peaks.map((peak) => leastInFlight(peak, mostLayers));
  const spread = leastExtraMs(least, recompute, inFlight, limit, mostLayers);
  if (spread === Number.POSITIVE_INFINITY) return spread;
  const counted = Math.min(...recompute.map((kind) => least.recomputeMs[kind]));
  const extra = Math.max(0, spread - least.count * counted);
  const extraOfFullest = fullestExtraMs(least, recompute, inFlight, limit, mostLayers);
  if (extraOfFullest === Number.POSITIVE_INFINITY) return extraOfFullest;
  const layersOfFullest = Math.ceil(least.count / p);
  const fullest =
    fullestRankMs(candidate, parts, { recompute }) +
    Math.max(0, extraOfFullest - layersOfFullest * counted);
  let pipeline = m * fullest;
  if (path === undefined) {
    const total = leastTotalMs(candidate, parts, { recompute }) + extra;
    pipeline = Math.max(pipeline, total, (m * total) / p);
    if (m > p) pipeline = Math.max(pipeline, filledMs(candidate, total, fullest));
  } else {
    const work = workOfModel(candidate, parts, { recompute });
    const inputGradMs = work.inputGradMs + extra;
    pipeline = Math.max(pipeline, pathBoundMs(path, m, { ...work, inputGradMs }));
  }
  return pipeline;
}
