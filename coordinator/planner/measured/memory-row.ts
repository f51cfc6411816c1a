import type { MemoryFactors } from "../cost/memory/factors.ts";
import type { RunStages } from "../cost/memory/run-memory.ts";
import type { Placement, Workload } from "../cost/workload.ts";
import type { Cluster } from "../hardware/cluster.ts";
import type { ModelShape } from "../model/model-shape.ts";
import { type Fields, numberOf, requiredNumber } from "./fields.ts";

export type MemorySource =
  | "simumax-b200"
  | "memory-cases"
  | "nanotron-h100"
  | "nanotron-h100 between steps";

/** One measured run, with all that the memory model needs to predict it. */
export interface MemoryRow {
  source: MemorySource;
  line: number;
  name: string;
  workload: Workload;
  placement: Placement;
  stages: RunStages;
  factors: MemoryFactors;
  /**
   * What was measured: the largest rank's peak or parts of it; or, of stage 0, what
   * the allocator reserved and what stays between steps.
   */
  quantity: "peak" | "static" | "activations" | "reserved" | "resident";
  /** Absent for a run that failed. */
  measuredBytes?: number | undefined;
  /** Absent where the source only has runs that fitted. */
  fits?: boolean | undefined;
}

export const GIB = 2 ** 30;

/** Layout of a row; what is left empty follows from the number of GPUs. */
export function placementOf(
  fields: Fields,
  expertParallel: number,
  expertTensorParallel: number,
): Placement {
  const tensorParallel = requiredNumber(fields, "tp");
  const pipelineParallel = numberOf(fields, "pp") ?? 1;
  const contextParallel = numberOf(fields, "cp") ?? 1;
  const ranksOfStage = requiredNumber(fields, "n_gpus") / pipelineParallel;
  return {
    tensorParallel,
    contextParallel,
    pipelineParallel,
    dataParallel: ranksOfStage / (tensorParallel * contextParallel),
    expertParallel,
    expertTensorParallel,
    expertDataParallel: ranksOfStage / (expertParallel * expertTensorParallel),
    virtualPipeline: 1,
    microBatchSize: requiredNumber(fields, "micro_batch"),
  };
}

/** Of the cluster the memory model reads the memory alone, and that only to tell what fits. */
export function workloadOf(
  model: ModelShape,
  sequenceLength: number,
  globalBatchSize: number,
  stack: Workload["stack"],
): Workload {
  return {
    model,
    cluster: H100_AS_SEEN,
    sequenceLength,
    globalBatchSize,
    precision: "bf16",
    capacityFactor: "dropless",
    imbalance: 1,
    optimizerSharding: "zero1",
    stack,
  };
}

/** An H100 as torch sees it: 79.1 GiB of its 80 (81,559 MiB less what the driver keeps). */
const H100_AS_SEEN: Cluster = {
  name: "measured",
  accelerator: {
    name: "measured",
    memoryBytes: 79.1 * GIB,
    memoryBandwidth: 1,
    peakFlops: {},
    achievable: {},
  },
  nodes: 1,
  gpusPerNode: 1,
  intra: { latencyMs: 0, curve: [] },
  inter: { latencyMs: 0, curve: [] },
  gpusPerDomain: 1,
  origin: "file",
};

export function sizesText(placement: Placement): string {
  const { tensorParallel, contextParallel, pipelineParallel, dataParallel, expertParallel } =
    placement;
  const sizes = [
    ["TP", tensorParallel],
    ["CP", contextParallel],
    ["PP", pipelineParallel],
    ["DP", dataParallel],
    ["EP", expertParallel],
  ] as const;
  const named = sizes.filter(([, size]) => size > 1).map(([name, size]) => `${name} ${size}`);
  return [...named, `micro-batch ${placement.microBatchSize}`].join(" ");
}
