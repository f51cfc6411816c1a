import type { Placement, Workload } from "../cost/workload.ts";
import { clusterPreset } from "../hardware/presets.ts";
import { type MeasuredRun, numberOf, RowProblem, requiredCount } from "./measured-run.ts";

export const VTRAIN_COLUMNS = [
  "n_gpus",
  "global_batch",
  "micro_batch",
  "hidden",
  "heads",
  "layers",
  "seq_len",
  "tp",
  "dp",
  "pp",
  "value",
];

/** GPT-2's vocabulary as Megatron pads it. */
const VOCABULARY = 51_200;

/** A row of vTrain's single-node A100 measurements: GPT shapes, no flash attention, no recompute. */
export function readVtrainRow(fields: Record<string, string>): MeasuredRun {
  const gpus = requiredCount(fields, "n_gpus");
  const placement: Placement = {
    tensorParallel: requiredCount(fields, "tp"),
    contextParallel: 1,
    pipelineParallel: requiredCount(fields, "pp"),
    dataParallel: requiredCount(fields, "dp"),
    expertParallel: 1,
    expertTensorParallel: 1,
    expertDataParallel: requiredCount(fields, "dp"),
    virtualPipeline: 1,
    microBatchSize: requiredCount(fields, "micro_batch"),
  };
  const { tensorParallel: tp, pipelineParallel: pp, dataParallel: dp } = placement;
  if (tp * pp * dp !== gpus)
    throw new RowProblem(`TP ${tp} x PP ${pp} x DP ${dp} is not ${gpus} GPUs`);
  const hiddenSize = requiredCount(fields, "hidden");
  const heads = requiredCount(fields, "heads");
  const sequenceLength = requiredCount(fields, "seq_len");
  const globalBatchSize = requiredCount(fields, "global_batch");
  const numMicroBatches = globalBatchSize / (dp * placement.microBatchSize);
  if (!Number.isInteger(numMicroBatches)) {
    throw new RowProblem(
      `batch ${globalBatchSize} does not divide into DP ${dp} x micro-batch ${placement.microBatchSize}`,
    );
  }
  const valueMs = numberOf(fields, "value");
  if (valueMs === undefined) throw new RowProblem("value is empty");
  const layers = requiredCount(fields, "layers");
  const workload: Workload = {
    model: {
      hiddenSize,
      vocabSize: VOCABULARY,
      tiedEmbeddings: true,
      attention: {
        kind: "gqa",
        heads,
        kvHeads: heads,
        headDim: hiddenSize / heads,
        qkvBias: true,
        outBias: true,
        qkNorm: false,
        sinks: false,
      },
      layers: Array.from({ length: layers }, () => ({ kind: "dense" as const })),
      dense: { hiddenSize: 4 * hiddenSize, gated: false, bias: true },
      normsPerLayer: 2,
      layerNormBias: true,
      positions: sequenceLength,
      mtpLayers: 0,
    },
    cluster: clusterPreset("a100-80", 1, 8),
    sequenceLength,
    globalBatchSize,
    precision: "bf16",
    capacityFactor: "dropless",
    imbalance: 1,
    optimizerSharding: "none",
    stack: "vtrain",
  };
  return {
    kind: "vtrain",
    source: "vTrain A100 measurements",
    group: `hidden ${hiddenSize}`,
    name: `GPT ${hiddenSize} x ${layers} TP${tp} PP${pp} DP${dp} micro-batch ${placement.microBatchSize}`,
    workload,
    placement,
    schedule: { name: "1f1b" },
    numMicroBatches,
    measured: ((globalBatchSize * sequenceLength) / gpus / valueMs) * 1000,
    assumed: ["a vocabulary of 51,200", "fp16, no recompute, no flash attention"],
  };
}
