import type { Placement, Workload } from "../cost/workload.ts";
import type { Precision } from "../hardware/cluster.ts";
import { type ClusterPresetName, clusterPreset } from "../hardware/presets.ts";
import { findModelShape } from "../model/find-model-shape.ts";
import { countOf, type Fields, RowProblem, requiredCount } from "./fields.ts";
import { leastRecompute } from "./least-recompute.ts";
import type { MeasuredRun } from "./measured-run.ts";
import { measuredTokens } from "./measured-tokens.ts";
import type { Schedule } from "./step-time.ts";

export const CALIBRATION_COLUMNS = ["model", "gpu", "gpus", "seq", "tp", "pp"];

/** A row in the columns of calibration.csv, with assumptions where it is silent. */
export function readCalibrationRow(fields: Fields): MeasuredRun {
  const assumed: string[] = [];
  const assume = <T>(value: T | undefined, otherwise: T, words: string): T => {
    if (value !== undefined) return value;
    assumed.push(words);
    return otherwise;
  };
  const note = fields.note ?? "";
  const model = findModelShape(fields.model ?? "");
  if (model === undefined)
    throw new RowProblem(`model "${fields.model}" is not one of the presets`);
  const gpus = requiredCount(fields, "gpus");
  const perNode = Math.min(8, gpus);
  const preset = presetOf(fields.gpu ?? "");
  const isFsdp = /\bfsdp\b/i.test(note) || (fields.fsdp ?? "") !== "";
  const tp = countOf(fields, "tp") ?? 1;
  const cp = countOf(fields, "cp") ?? 1;
  const pp = countOf(fields, "pp") ?? 1;
  const ep = countOf(fields, "ep") ?? 1;
  const etp = assume(
    countOf(fields, "etp"),
    model.moe === undefined ? 1 : tp,
    "ETP = TP, Megatron-Core's default",
  );
  const dataParallel = gpus / (tp * cp * pp);
  const expertDataParallel = gpus / (ep * etp * pp);
  if (!Number.isInteger(dataParallel) || !Number.isInteger(expertDataParallel)) {
    throw new RowProblem(
      `${gpus} GPUs do not divide into TP ${tp} x CP ${cp} x PP ${pp}, EP ${ep} x ETP ${etp}`,
    );
  }
  if (model.moe !== undefined && model.moe.experts % ep !== 0) {
    throw new RowProblem(`EP ${ep} does not divide ${model.moe.experts} experts`);
  }
  const sequenceLength = requiredCount(fields, "seq");
  const even = Math.ceil(16_777_216 / sequenceLength / dataParallel) * dataParallel;
  const globalBatchSize = assume(countOf(fields, "gbs"), even, "a batch of 16 M tokens");
  const microBatchSize = assume(countOf(fields, "mbs"), 1, "micro-batches of 1");
  const numMicroBatches = globalBatchSize / (dataParallel * microBatchSize);
  if (!Number.isInteger(numMicroBatches)) {
    throw new RowProblem(
      `batch ${globalBatchSize} does not divide into DP ${dataParallel} x micro-batch ${microBatchSize}`,
    );
  }
  const isDual = /dualpipe/i.test(note);
  const perStage = model.layers.length / pp;
  // Megatron-Core's published MoE runs interleave a layer a chunk where they say it.
  const canInterleave =
    preset !== "a800" &&
    pp > 1 &&
    !isDual &&
    Number.isInteger(perStage) &&
    numMicroBatches % pp === 0;
  const virtualPipeline = assume(
    countOf(fields, "vpp"),
    canInterleave ? perStage : 1,
    canInterleave ? `VPP ${perStage}: a layer a chunk` : "no interleaving",
  );
  // NVIDIA's rows force the balance unless they say otherwise; those on A800
  // and H800 train for real, with uneven experts or with slots to spare.
  const isReal = preset === "a800" || preset === "h800";
  const isBalanced = /force|balanc/i.test(note) || !(isReal || /dropless/i.test(note));
  const workload: Workload = {
    model,
    cluster: clusterPreset(preset, Math.max(1, Math.ceil(gpus / perNode)), perNode),
    sequenceLength,
    globalBatchSize,
    precision: precisionOf(fields.prec ?? ""),
    capacityFactor: /CF\s*=\s*1/i.test(note) ? 1 : "dropless",
    imbalance: isBalanced ? 1 : 1.1,
    optimizerSharding: isFsdp ? "fsdp" : "zero1",
    stack: "megatron",
  };
  if (model.moe !== undefined && !isBalanced) assumed.push("the busiest rank gets 1.1 of the mean");
  const placement: Placement = {
    tensorParallel: tp,
    contextParallel: cp,
    pipelineParallel: pp,
    dataParallel,
    expertParallel: ep,
    expertTensorParallel: etp,
    expertDataParallel,
    virtualPipeline,
    microBatchSize,
  };
  const schedule: Schedule = {
    name: isDual ? "dualpipe" : virtualPipeline > 1 ? "interleaved" : "1f1b",
  };
  schedule.recompute = leastRecompute(workload, placement, numMicroBatches);
  assumed.push("the least recompute that fits");
  return {
    kind: isFsdp ? "fsdp" : model.moe === undefined ? "dense" : "moe",
    source: sourceOf(fields.src ?? "unnamed"),
    group: fields.model ?? "",
    name: `${fields.model} ${gpus} x ${fields.gpu} ${fields.prec} TP${tp} PP${pp} EP${ep} ETP${etp}`,
    workload,
    placement,
    schedule,
    numMicroBatches,
    measured: measuredTokens(fields, workload, gpus),
    assumed,
  };
}

/** Tables of one paper are one source. */
function sourceOf(source: string): string {
  return source.replace(/\s+(?:Table|B\.\d).*$/i, "").replace(/\s+(?:grok1|\w+\/run_).*$/, "");
}

/** The preset of a GPU as papers spell it. */
function presetOf(gpu: string): ClusterPresetName {
  const plain = gpu.toLowerCase();
  const found = (
    [
      [/gb200|gb300/, "gb200"],
      [/b200/, "b200"],
      [/h200/, "h200"],
      [/h800/, "h800"],
      [/h100/, "h100"],
      [/a800/, "a800"],
      [/a100.*40/, "a100-40"],
      [/a100/, "a100-80"],
      [/4090/, "rtx4090"],
    ] as const
  ).find(([pattern]) => pattern.test(plain));
  if (found === undefined) throw new RowProblem(`gpu "${gpu}" is not one of the presets`);
  return found[1];
}

function precisionOf(text: string): Precision {
  if (/fp8/i.test(text)) return "fp8";
  if (/bf16|fp16|^$/i.test(text)) return "bf16";
  if (/fp32|tf32/i.test(text)) return "fp32";
  throw new RowProblem(`prec "${text}" is not known; use bf16, fp8 or fp32`);
}
