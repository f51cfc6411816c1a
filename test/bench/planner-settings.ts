import type { RecomputeKind, Workload } from "../../coordinator/planner/cost/workload.ts";
import {
  type ClusterPresetName,
  clusterPreset,
} from "../../coordinator/planner/hardware/presets.ts";
import { MODEL_SHAPES, type ModelName } from "../../coordinator/planner/model/shapes.ts";
import { RESERVED_SHARE } from "../../coordinator/planner/problem-of-job.ts";
import type { Constraints } from "../../coordinator/planner/search/constraints.ts";

/** A model on nodes of 8 GPUs. */
export interface Setting {
  model: ModelName;
  gpu: ClusterPresetName;
  nodes: number;
  /** Length of a sequence in tokens, and sequences of a batch. */
  sequences: readonly [length: number, batch: number];
  precision?: "fp8" | undefined;
}

/** In bf16 with ZeRO-1 and a capacity factor of 1.25, unless a setting says otherwise. */
export function workloadOf({ model, gpu, nodes, sequences, precision }: Setting): Workload {
  const [sequenceLength, globalBatchSize] = sequences;
  return {
    model: MODEL_SHAPES[model],
    cluster: clusterPreset(gpu, nodes, 8),
    sequenceLength,
    globalBatchSize,
    precision: precision ?? "bf16",
    capacityFactor: 1.25,
    imbalance: 1,
    optimizerSharding: "zero1",
    stack: "megatron",
  };
}

/** Every layout under 1F1B. */
export function openConstraints(
  { cluster }: Workload,
  recompute: readonly RecomputeKind[],
): Constraints {
  return {
    ranks: cluster.nodes * cluster.gpusPerNode,
    fixed: {},
    schedules: ["1f1b"],
    recompute,
    target: "any",
    reserveBytes: RESERVED_SHARE * cluster.accelerator.memoryBytes,
  };
}
