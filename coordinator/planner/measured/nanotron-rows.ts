import type { Placement, Workload } from "../cost/workload.ts";
import type { Cluster, Link } from "../hardware/cluster.ts";
import { clusterPreset } from "../hardware/presets.ts";
import type { ModelShape } from "../model/model-shape.ts";
import { splitWithHead } from "./even-split.ts";
import { countOf, type MeasuredRun, numberOf, RowProblem, requiredCount } from "./measured-run.ts";

export const NANOTRON_COLUMNS = [
  "n_gpus",
  "tp",
  "pp",
  "dp",
  "micro_batch",
  "grad_accum",
  "seq_len",
  "hidden",
  "ffn",
  "layers",
  "heads",
  "vocab",
  "tokens_per_s_per_gpu",
];

/** What the benchmark's pipeline lost in every slot before it was repaired. */
const STALL_MS = 700;

/** A row of nanotron's H100 benchmark: dense Llama shapes, no recompute, ZeRO 0 or 1. */
export function readNanotronRow(fields: Record<string, string>): MeasuredRun {
  const measured = numberOf(fields, "tokens_per_s_per_gpu");
  if (measured === undefined)
    throw new RowProblem(`no throughput: status ${fields.status || "empty"}`);
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
  const numMicroBatches = requiredCount(fields, "grad_accum");
  const model = denseShape(fields);
  const workload: Workload = {
    model,
    cluster: withMeasuredNetwork(
      clusterPreset("h100", Math.ceil(gpus / 8), Math.min(8, gpus)),
      fields,
    ),
    sequenceLength: requiredCount(fields, "seq_len"),
    globalBatchSize: placement.microBatchSize * numMicroBatches * dp,
    precision: "bf16",
    capacityFactor: "dropless",
    imbalance: 1,
    optimizerSharding: Number(fields.zero_stage || 0) > 0 ? "zero1" : "none",
    stack: "nanotron",
  };
  const f = model.dense?.hiddenSize ?? 0;
  const layerWeights = 4 * model.hiddenSize ** 2 + 3 * model.hiddenSize * f;
  const headLayers = (model.vocabSize * model.hiddenSize) / layerWeights;
  // The probe before the run waited ten times its usual 5 µs to 30 µs a node.
  const isDegraded = workload.cluster.inter.latencyMs > 0.1;
  const isSlow = pp > 1 && /false/i.test(fields.after_pp_fix ?? "");
  return {
    kind: isSlow ? "nanotron-slow-pipeline" : isDegraded ? "nanotron-slow-network" : "nanotron",
    source: "nanotron H100 benchmark",
    group: `hidden ${model.hiddenSize}`,
    name: fields.name ?? `nanotron TP${tp} PP${pp} DP${dp}`,
    workload,
    placement,
    schedule: {
      name: "1f1b",
      layersPerStage: splitWithHead(model.layers.length, pp, headLayers),
      stallMs: isSlow ? STALL_MS : undefined,
    },
    numMicroBatches,
    measured,
    assumed: ["no recompute", "stages split by cost, the head counted"],
  };
}

function denseShape(fields: Record<string, string>): ModelShape {
  const hiddenSize = requiredCount(fields, "hidden");
  const heads = requiredCount(fields, "heads");
  return {
    hiddenSize,
    vocabSize: requiredCount(fields, "vocab"),
    tiedEmbeddings: /true/i.test(fields.tie_embeddings ?? ""),
    attention: {
      kind: "gqa",
      heads,
      kvHeads: countOf(fields, "kv_heads") ?? heads,
      headDim: hiddenSize / heads,
      qkvBias: false,
      outBias: false,
      qkNorm: false,
      sinks: false,
    },
    layers: Array.from({ length: requiredCount(fields, "layers") }, () => ({
      kind: "dense" as const,
    })),
    dense: { hiddenSize: requiredCount(fields, "ffn"), gated: true, bias: false },
    normsPerLayer: 2,
    layerNormBias: false,
    positions: 0,
    mtpLayers: 0,
  };
}

/** Bytes that the benchmark's own all-gather is taken to move: what its two regimes agree on. */
const PROBE_BYTES = 64e6;

/**
 * The rows carry an all-gather rate measured just before each run, which fell
 * to a tenth on some days: what it waits a node boundary becomes the latency
 * of the link between nodes.
 */
function withMeasuredNetwork(cluster: Cluster, fields: Record<string, string>): Cluster {
  const rate = numberOf(fields, "allgather_gbps");
  if (rate === undefined || cluster.nodes === 1) return cluster;
  const best = 260;
  const hopMs = (PROBE_BYTES * Math.max(0, 1 / rate - 1 / best)) / 1e6 / cluster.nodes;
  const inter: Link = { ...cluster.inter, latencyMs: Math.max(cluster.inter.latencyMs, 2 * hopMs) };
  return { ...cluster, inter };
}
