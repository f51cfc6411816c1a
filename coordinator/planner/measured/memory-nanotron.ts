import { join } from "node:path";
import { MEMORY_FACTORS } from "../cost/memory/factors.ts";
import { inFlightOf1f1b } from "../cost/memory/run-memory.ts";
import { splitByCost } from "./even-split.ts";
import { type CsvRecord, readCsv } from "./memory-csv.ts";
import { denseModel } from "./memory-models.ts";
import { GIB, type MemoryRow, placementOf, sizesText, workloadOf } from "./memory-row.ts";

/** FFN widths of the models, for the rows that leave them empty. */
const FFN_HIDDEN_SIZES: Record<number, number> = { 8192: 28672, 16384: 53248 };

/**
 * nanotron's runs that ended as "Success" or out of memory ("OOM"); the rows that
 * ended otherwise say nothing about memory. Rows with fewer key-value heads than
 * heads say so; where the field is empty the file's models have as many.
 */
export async function readNanotronMemory(dataFolder: string): Promise<MemoryRow[]> {
  const columns = [
    "name",
    "tp",
    "pp",
    "dp",
    "hidden",
    "layers",
    "heads",
    "vocab",
    "status",
    "mem_reserved_gb",
  ];
  const records = await readCsv(join(dataFolder, "nanotron-h100.csv"), columns);
  return records
    .filter((record) => record.text("status") !== "Other")
    .map((record) => nanotronRow(record));
}

/** What the same runs have allocated between steps: weights, gradients and optimizer state. */
export async function readNanotronResident(dataFolder: string): Promise<MemoryRow[]> {
  const records = await readCsv(join(dataFolder, "nanotron-h100.csv"), ["mem_alloc_gb"]);
  return records
    .filter((record) => record.text("mem_alloc_gb") !== "")
    .map((record) => ({
      ...nanotronRow(record),
      source: "nanotron-h100 between steps",
      quantity: "resident",
      measuredBytes: record.number("mem_alloc_gb") * GIB,
      fits: undefined,
    }));
}

function nanotronRow(record: CsvRecord): MemoryRow {
  const hiddenSize = record.number("hidden");
  const heads = record.number("heads");
  const model = denseModel({
    hiddenSize,
    ffnHiddenSize: record.number("ffn", FFN_HIDDEN_SIZES[hiddenSize]),
    layers: record.number("layers"),
    heads,
    kvHeads: record.number("kv_heads", heads),
    vocabSize: record.number("vocab"),
    tiedEmbeddings: record.text("tie_embeddings") === "True",
  });
  const placement = placementOf(record, 1, 1);
  const pp = placement.pipelineParallel;
  const reserved = record.text("mem_reserved_gb");
  return {
    source: "nanotron-h100",
    line: record.line,
    name: `${hiddenSize} wide, ${record.text("layers")} layers, ${sizesText(placement)}`,
    workload: {
      ...workloadOf(model, record.number("seq_len"), record.number("global_batch"), "nanotron"),
      optimizerSharding: record.text("zero_stage") === "1" ? "zero1" : "none",
    },
    placement,
    stages: {
      ...splitByCost(model, pp),
      inFlight: inFlightOf1f1b(pp, record.number("grad_accum")),
      recompute: "none",
    },
    factors: MEMORY_FACTORS.nanotron,
    quantity: "reserved",
    measuredBytes: reserved === "" ? undefined : record.number("mem_reserved_gb") * GIB,
    fits: record.text("status") === "Success",
  };
}
