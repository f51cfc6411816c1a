import type { Precision } from "../../hardware/cluster.ts";
import type { OptimizerSharding, PartParameters, Placement } from "../workload.ts";
import type { MemoryFactors } from "./factors.ts";

/**
 * Bytes of weights, gradients and optimizer state on one rank. ZeRO-1 spreads
 * the optimizer state (Rajbhandari et al. 1910.02054, section 5) over the ranks
 * that hold the same weights: DP·CP for dense ones, the expert-data-parallel
 * ranks for experts; FSDP spreads all three.
 */
export function staticBytes(
  parameters: PartParameters,
  placement: Placement,
  sharding: OptimizerSharding,
  precision: Precision,
  factors: MemoryFactors,
): number {
  const copies = placement.dataParallel * placement.contextParallel;
  return (
    parameters.dense * bytesPerParameter(copies, sharding, precision, factors) +
    parameters.expert *
      bytesPerParameter(placement.expertDataParallel, sharding, precision, factors)
  );
}

function bytesPerParameter(
  copies: number,
  sharding: OptimizerSharding,
  precision: Precision,
  factors: MemoryFactors,
): number {
  const optimizer = factors.optimizerBytes[precision];
  const reduced = copies > 1 ? factors.reduceBytes : 0;
  const held = factors.weightBytes[precision] + factors.gradBytes[precision] + reduced;
  switch (sharding) {
    case "none":
      return held + optimizer;
    case "zero1":
      return copies > 1
        ? held + factors.zero1HeldBytes + (optimizer + factors.zero1ShardBytes) / copies
        : held + optimizer;
    case "fsdp":
      return (factors.fullyShardedBytes?.[precision] ?? held + optimizer) / copies;
  }
}
