import { memoryLimitBytes } from "../cost/memory/memory-limit.ts";
import { partMemory } from "../cost/memory/part-memory.ts";
import type { Placement, RecomputeKind, Workload } from "../cost/workload.ts";
import { type Candidate, costCandidate, type PartCost } from "./candidate.ts";
import type { Constraints } from "./constraints.ts";
import type { ModelParts } from "./model-parts.ts";
import { overheadMs } from "./overhead.ts";
import { type LeastLayer, leastExtraMs } from "./recompute-bound.ts";
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
  const candidate = costCandidate(workload, anyArrangement(constraints.ranks, key), parts);
  const share =
    (key.tensorParallel * key.contextParallel) / (constraints.ranks * key.microBatchSize);
  return workload.globalBatchSize * share * leastTotalMs(candidate, parts, constraints);
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

/** What a placement is judged against. */
export interface BoundLimits extends Pick<Constraints, "recompute" | "reserveBytes"> {
  /** Only a step under this is wanted. */
  limitMs: number;
}

/** The least of every cost over the classes that hold a decoder layer. */
function leastLayer({ classCosts }: Candidate, { classes }: ModelParts): LeastLayer {
  let least: LeastLayer | undefined;
  for (const [index, { kinds, count }] of classes.entries()) {
    if (!kinds.includes("dense") && !kinds.includes("moe")) continue;
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
 * Lower bound on the step of one arrangement. Under 1F1B with m > p
 * micro-batches, averaging the stages' terms of partition/stage-term.ts with and
 * without what comes behind them, two to one, cancels the split:
 * T ≥ (Σt / p)·(m + ⅔(p − 1)), and Σt has the least recompute that fits in it.
 * Infinite when that does not exist for a step under `limitMs`.
 */
export function arrangementBoundMs(
  workload: Workload,
  parts: ModelParts,
  placement: Placement,
  { recompute, reserveBytes, limitMs }: BoundLimits,
): number {
  const candidate = costCandidate(workload, placement, parts);
  const p = placement.pipelineParallel;
  const m = candidate.numMicroBatches;
  const limit = memoryLimitBytes(workload.cluster, reserveBytes);
  let staticBytes = 0;
  let dense = 0;
  let expert = 0;
  for (const [index, { count }] of parts.classes.entries()) {
    const cost = candidate.classCosts[index] as PartCost;
    staticBytes += count * cost.staticBytes;
    dense += count * cost.parameters.dense;
    expert += count * cost.parameters.expert;
  }
  if (staticBytes / p > limit) return Number.POSITIVE_INFINITY;
  const least = leastLayer(candidate, parts);
  const spread = leastExtraMs(least, recompute, p, m, limit, limitMs);
  const counted = Math.min(...recompute.map((kind) => least.recomputeMs[kind]));
  const total =
    leastTotalMs(candidate, parts, { recompute }) + Math.max(0, spread - least.count * counted);
  const fill = m > p ? (2 / 3) * (p - 1) : 0;
  const pipeline = Math.max(total, (total / p) * (m + fill));
  return pipeline + overheadMs(workload, placement, { dense: dense / p, expert: expert / p });
}
