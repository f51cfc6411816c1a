import { join } from "node:path";
import { MEMORY_FACTORS, type MemoryFactors } from "../cost/memory/factors.ts";
import { evenLayers, inFlightOf1f1b } from "../cost/memory/run-memory.ts";
import { readCsvRows } from "./csv-file.ts";
import { type Fields, numberOf, RowProblem, requiredNumber } from "./fields.ts";
import { reducedMixtral, SIMUMAX_MODELS } from "./memory-models.ts";
import { GIB, type MemoryRow, placementOf, sizesText, workloadOf } from "./memory-row.ts";

/** SimuMax's B200 table: Megatron-Core with Transformer Engine, ZeRO-1, nothing recomputed. */
export async function readSimumaxMemory(dataFolder: string): Promise<MemoryRow[]> {
  const path = join(dataFolder, "simumax-b200.csv");
  const columns = [
    "model",
    "tp",
    "pp",
    "cp",
    "dp",
    "seq_len",
    "metric",
    "value",
    "model_proxy_layers",
  ];
  const rows = await readCsvRows(path, columns, (fields, line) =>
    fields.metric === "peak_allocated_memory" ? [simumaxRow(fields, line)] : [],
  );
  return rows.flat();
}

function simumaxRow(fields: Fields, line: number): MemoryRow {
  const layers = requiredNumber(fields, "model_proxy_layers");
  const name = (fields.model ?? "").split(" ")[0] ?? "";
  const model = SIMUMAX_MODELS[name]?.(layers);
  if (model === undefined) {
    const known = Object.keys(SIMUMAX_MODELS).join(", ");
    throw new RowProblem(`model "${name}" is none of ${known}`);
  }
  const placement = placementOf(fields, numberOf(fields, "ep") ?? 1, numberOf(fields, "etp") ?? 1);
  const globalBatch = requiredNumber(fields, "global_batch");
  const microBatches = globalBatch / (placement.dataParallel * placement.microBatchSize);
  const pp = placement.pipelineParallel;
  return {
    source: "simumax-b200",
    line,
    name: `${name}, ${layers} layers, ${sizesText(placement)}, sequence ${fields.seq_len}`,
    workload: workloadOf(model, requiredNumber(fields, "seq_len"), globalBatch, "megatron"),
    placement,
    stages: {
      layersPerStage: evenLayers(layers, pp),
      inFlight: inFlightOf1f1b(pp, microBatches),
      recompute: "none",
    },
    factors: MEMORY_FACTORS.megatron,
    quantity: "peak",
    measuredBytes: requiredNumber(fields, "value") * GIB,
  };
}

/** Megatron-Core of 2024: outputs of experts are weighted behind them, the loss keeps fp32, Transformer Engine before 2.8. */
const MEGATRON_2024: MemoryFactors = {
  ...MEMORY_FACTORS.megatron,
  keepsExpertOutput: true,
  unusedGradients: false,
  lossKeptBytes: 4,
  lossPeakBytes: 2,
};

const CASE_QUANTITIES: Record<string, MemoryRow["quantity"]> = {
  memory_total: "peak",
  memory_model_states: "static",
  memory_activation: "activations",
};

/** mbridge's reduced Mixtral on 8 GPUs: EP 1, experts split over TP, ZeRO-1 over the rest. */
export async function readMemoryCases(dataFolder: string): Promise<MemoryRow[]> {
  const columns = [
    "model",
    "n_gpus",
    "tp",
    "micro_batch",
    "seq_len",
    "metric",
    "value",
    "model_layers",
  ];
  return readCsvRows(join(dataFolder, "memory-cases.csv"), columns, (fields, line) => {
    const layers = requiredNumber(fields, "model_layers");
    const tp = requiredNumber(fields, "tp");
    const placement = placementOf(
      fields,
      numberOf(fields, "ep") ?? 1,
      numberOf(fields, "etp") ?? tp,
    );
    return {
      source: "memory-cases",
      line,
      name: `${fields.metric}, ${sizesText(placement)}`,
      workload: workloadOf(
        reducedMixtral(layers),
        requiredNumber(fields, "seq_len"),
        placement.dataParallel,
        "megatron",
      ),
      placement,
      stages: { layersPerStage: [layers], inFlight: [1], recompute: "none" },
      factors: MEGATRON_2024,
      quantity: CASE_QUANTITIES[fields.metric ?? ""] ?? "peak",
      measuredBytes: requiredNumber(fields, "value") * GIB,
    };
  });
}
