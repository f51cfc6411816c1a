import type { Workload } from "../cost/workload.ts";
import { clusterPreset } from "../hardware/presets.ts";
import type { ModelShape } from "../model/model-shape.ts";
import { DENSE_COLUMNS, densePlacement } from "./dense-placement.ts";
import { type Fields, numberOf, RowProblem, requiredCount } from "./fields.ts";
import type { MeasuredRun } from "./measured-run.ts";
import { denseModel } from "./memory-models.ts";

export const VTRAIN_COLUMNS = [...DENSE_COLUMNS, "global_batch", "value"];

/** GPT-2's vocabulary as Megatron pads it. */
const VOCABULARY = 51_200;

/** A row of vTrain's single-node A100 measurements: GPT shapes, no flash attention, no recompute. */
export function readVtrainRow(fields: Fields): MeasuredRun {
  const gpus = requiredCount(fields, "n_gpus");
  const placement = densePlacement(fields);
  const { tensorParallel: tp, pipelineParallel: pp, dataParallel: dp } = placement;
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
    model: gptModel(hiddenSize, heads, layers, sequenceLength),
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

/** A GPT of 2022: plain FFN of four widths, LayerNorm, learned positions, biases. */
function gptModel(
  hiddenSize: number,
  heads: number,
  layers: number,
  positions: number,
): ModelShape {
  const llama = denseModel({
    hiddenSize,
    ffnHiddenSize: 4 * hiddenSize,
    layers,
    heads,
    kvHeads: heads,
    vocabSize: VOCABULARY,
    tiedEmbeddings: true,
  });
  return {
    ...llama,
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
    dense: { hiddenSize: 4 * hiddenSize, gated: false, bias: true },
    layerNormBias: true,
    positions,
  };
}
