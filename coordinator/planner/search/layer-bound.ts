import { memoryLimitBytes } from "../cost/memory/memory-limit.ts";
import { partMemory } from "../cost/memory/part-memory.ts";
import { partTime } from "../cost/time/part-time.ts";
import { straggleOf } from "../cost/time/straggle.ts";
import type { PartKind, PartTime, Placement, Workload } from "../cost/workload.ts";
import { gpusOf } from "./candidate.ts";
import type { Constraints } from "./constraints.ts";
import { type ModelParts, mayRecompute } from "./model-parts.ts";
import { hidesCommunication, SLOWDOWN_BESIDE_COMMUNICATION } from "./scheduled-costs.ts";
import type { AttentionKey, LayerKey } from "./space.ts";

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

/** Sizes that do not matter to the time of a layer, for looking it up. */
function anyArrangement(ranks: number, key: LayerKey): Placement {
  return {
    ...key,
    pipelineParallel: 1,
    dataParallel: ranks / (key.tensorParallel * key.contextParallel),
    expertDataParallel: ranks / (key.expertParallel * key.expertTensorParallel),
    virtualPipeline: 1,
  };
}

/**
 * `leastTotalMs` of least-work.ts for a placement whose memory nobody asks for: there
 * are many of them.
 */
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
    const allowed = mayRecompute(kinds, recompute);
    const extraMs = Math.min(...allowed.map((kind) => sum((time) => time.recomputeMs[kind])));
    const workMs = sum((time) => time.forwardMs + time.backwardMs) + extraMs;
    total += workMs;
    compute += workMs - sent;
    communication += sent;
  }
  const hidden = Math.max(SLOWDOWN_BESIDE_COMMUNICATION * compute, communication);
  return straggleOf(gpusOf(placement)) * (mayHide ? Math.min(total, hidden) : total);
}
