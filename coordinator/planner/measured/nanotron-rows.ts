import type { Workload } from "../cost/workload.ts";
import { clusterPreset } from "../hardware/presets.ts";
import { DENSE_COLUMNS, densePlacement } from "./dense-placement.ts";
import { splitByCost } from "./even-split.ts";
import { type Fields, numberOf, RowProblem, requiredCount } from "./fields.ts";
import type { MeasuredRun } from "./measured-run.ts";
import { nanotronShape, nanotronSharding } from "./nanotron-shape.ts";
import { isNvlinkUnused, withProbedNetwork } from "./probed-network.ts";

export const NANOTRON_COLUMNS = [
  ...DENSE_COLUMNS,
  "grad_accum",
  "ffn",
  "vocab",
  "tokens_per_s_per_gpu",
];

/** What a pipeline's message cost before the benchmark's messages were repaired. */
const MESSAGE_STALL_MS = 270;

/** A row of nanotron's H100 benchmark: dense Llama shapes, no recompute, ZeRO 0 or 1. */
export function readNanotronRow(fields: Fields): MeasuredRun {
  const measured = numberOf(fields, "tokens_per_s_per_gpu");
  if (measured === undefined)
    throw new RowProblem(`no throughput: status ${fields.status || "empty"}`);
  const gpus = requiredCount(fields, "n_gpus");
  const placement = densePlacement(fields);
  const { tensorParallel: tp, pipelineParallel: pp, dataParallel: dp } = placement;
  const numMicroBatches = requiredCount(fields, "grad_accum");
  const model = nanotronShape(fields);
  const preset = clusterPreset("h100", Math.ceil(gpus / 8), Math.min(8, gpus));
  const cluster = withProbedNetwork(preset, fields);
  const workload: Workload = {
    model,
    cluster,
    sequenceLength: requiredCount(fields, "seq_len"),
    globalBatchSize: placement.microBatchSize * numMicroBatches * dp,
    precision: "bf16",
    capacityFactor: "dropless",
    imbalance: 1,
    optimizerSharding: nanotronSharding(fields),
    stack: "nanotron",
  };
  const isStalled = stalls(fields, pp, cluster.nodes);
  return {
    kind: isStalled
      ? "nanotron-slow-pipeline"
      : cluster.collectiveRankMs === undefined
        ? "nanotron"
        : "nanotron-slow-network",
    source: "nanotron H100 benchmark",
    group: `hidden ${model.hiddenSize}`,
    name: fields.name ?? `nanotron TP${tp} PP${pp} DP${dp}`,
    workload,
    placement,
    schedule: {
      name: "1f1b",
      ...splitByCost(model, pp),
      messageStallMs: isStalled ? MESSAGE_STALL_MS : undefined,
    },
    numMicroBatches,
    measured,
    assumed: ["no recompute", "stages split by cost, the head counted"],
  };
}

/** Before the repair, and where NVLink was out of use, messages between stages stalled. */
function stalls(fields: Fields, pp: number, nodes: number): boolean {
  const isBefore = /false/i.test(fields.after_pp_fix ?? "");
  return pp > 1 && nodes > 1 && (isBefore || isNvlinkUnused(fields));
}
