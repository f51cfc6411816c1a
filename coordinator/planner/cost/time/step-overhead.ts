import type { PartParameters, Placement, Workload } from "../workload.ts";
import { ringMs } from "./exchange.ts";
import { TIME_FACTORS, type TimeFactors } from "./factors.ts";
import { ratesOf } from "./rates.ts";

/** What stands exposed at the end of an optimizer step of one rank, in ms. */
export interface StepOverhead {
  gradientReduceMs: number;
  parameterGatherMs: number;
  optimizerMs: number;
  /** Data, logging, clipping: whatever the size. */
  otherMs: number;
}

/**
 * A rank that holds these parameters reduces their gradients (dense over DP·CP,
 * experts over their replicas), updates what it owns, and gathers the weights
 * back where the optimizer is sharded.
 */
export function stepOverhead(
  workload: Workload,
  placement: Placement,
  { dense, expert }: PartParameters,
  factors: TimeFactors = TIME_FACTORS,
): StepOverhead {
  const rates = ratesOf(workload, placement, factors);
  const { stack } = rates;
  const { tensorParallel: tp, contextParallel: cp, dataParallel: dp } = placement;
  const replicas = dp * cp;
  const copies = placement.expertDataParallel;
  const expertStride = placement.expertParallel * placement.expertTensorParallel;
  const ring = (bytes: number) =>
    ringMs(rates, replicas, tp, dense * bytes) +
    ringMs(rates, copies, expertStride, expert * bytes);
  const isSharded = workload.optimizerSharding !== "none";
  const owned = isSharded ? dense / replicas + expert / copies : dense + expert;
  const reduce = ring(stack.gradientBytes);
  const gather = ring(rates.width);
  // The host's part: a gradient matrix at a time where they are not sharded.
  const layers = workload.model.layers.length / placement.pipelineParallel;
  const calls = stack.stepCollectives + (isSharded ? 0 : stack.layerReductions * layers);
  const hostMs = replicas > 1 ? calls * replicas * rates.collectiveRankMs : 0;
  return {
    // Without sharding the reduced gradients go back to all: a second round.
    gradientReduceMs: stack.exposedReduction * (isSharded ? reduce : 2 * reduce) + hostMs,
    parameterGatherMs: isSharded ? stack.exposedGather * gather : 0,
    optimizerMs: (owned * stack.optimizerBytes) / rates.elementwise,
    otherMs: stack.stepMs,
  };
}
