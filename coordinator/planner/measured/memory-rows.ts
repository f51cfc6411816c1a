import { join } from "node:path";
import { MoestroError } from "../../errors.ts";
import { MEMORY_FACTORS, type MemoryFactors } from "../cost/memory/factors.ts";
import { evenLayers, inFlightOf1f1b } from "../cost/memory/run-memory.ts";
import { type CsvRecord, readCsv } from "./memory-csv.ts";
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
  const records = await readCsv(path, columns);
  return records
    .filter((record) => record.text("metric") === "peak_allocated_memory")
    .map((record) => simumaxRow(record));
}

function simumaxRow(record: CsvRecord): MemoryRow {
  const layers = record.number("model_proxy_layers");
  const name = record.text("model").split(" ")[0] ?? "";
  const model = SIMUMAX_MODELS[name]?.(layers);
  if (model === undefined) {
    const known = Object.keys(SIMUMAX_MODELS).join(", ");
    throw new MoestroError(
      "invalid_input",
      `simumax-b200.csv:${record.line}: model: "${name}" is unknown; use ${known}`,
    );
  }
  const placement = placementOf(record, record.number("ep", 1), record.number("etp", 1));
  const globalBatch = record.number("global_batch");
  const microBatches = globalBatch / (placement.dataParallel * placement.microBatchSize);
  const pp = placement.pipelineParallel;
  return {
    source: "simumax-b200",
    line: record.line,
    name: `${name}, ${layers} layers, ${sizesText(placement)}, sequence ${record.text("seq_len")}`,
    workload: workloadOf(model, record.number("seq_len"), globalBatch, "megatron"),
    placement,
    stages: {
      layersPerStage: evenLayers(layers, pp),
      inFlight: inFlightOf1f1b(pp, microBatches),
      recompute: "none",
    },
    factors: MEMORY_FACTORS.megatron,
    quantity: "peak",
    measuredBytes: record.number("value") * GIB,
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
  const records = await readCsv(join(dataFolder, "memory-cases.csv"), columns);
  return records.map((record) => {
    const layers = record.number("model_layers");
    const tp = record.number("tp");
    const placement = placementOf(record, record.number("ep", 1), record.number("etp", tp));
    return {
      source: "memory-cases",
      line: record.line,
      name: `${record.text("metric")}, ${sizesText(placement)}`,
      workload: workloadOf(
        reducedMixtral(layers),
        record.number("seq_len"),
        placement.dataParallel,
        "megatron",
      ),
      placement,
      stages: { layersPerStage: [layers], inFlight: [1], recompute: "none" },
      factors: MEGATRON_2024,
      quantity: CASE_QUANTITIES[record.text("metric")] ?? "peak",
      measuredBytes: record.number("value") * GIB,
    };
  });
}
