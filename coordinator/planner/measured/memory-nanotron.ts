import { join } from "node:path";
import { MEMORY_FACTORS } from "../cost/memory/factors.ts";
import { inFlightOf1f1b } from "../cost/memory/run-memory.ts";
import { readCsvRows } from "./csv-file.ts";
import { DENSE_COLUMNS, densePlacement } from "./dense-placement.ts";
import { splitByCost } from "./even-split.ts";
import { type Fields, numberOf, requiredCount } from "./fields.ts";
import { GIB, type MemoryRow, sizesText, workloadOf } from "./memory-row.ts";
import { nanotronShape, nanotronSharding } from "./nanotron-shape.ts";

const COLUMNS = [
  ...DENSE_COLUMNS,
  "grad_accum",
  "global_batch",
  "vocab",
  "status",
  "mem_alloc_gb",
  "mem_reserved_gb",
];

/**
 * nanotron's runs that ended as "Success" or out of memory ("OOM"); the rows that
 * ended otherwise say nothing about memory.
 */
export async function readNanotronMemory(dataFolder: string): Promise<MemoryRow[]> {
  const rows = await readCsvRows(join(dataFolder, "nanotron-h100.csv"), COLUMNS, (fields, line) =>
    fields.status === "Other" ? [] : [nanotronRow(fields, line)],
  );
  return rows.flat();
}

/** What the same runs have allocated between steps: weights, gradients and optimizer state. */
export async function readNanotronResident(dataFolder: string): Promise<MemoryRow[]> {
  const path = join(dataFolder, "nanotron-h100.csv");
  const rows = await readCsvRows(path, COLUMNS, (fields, line): MemoryRow[] => {
    const allocated = numberOf(fields, "mem_alloc_gb");
    if (allocated === undefined) return [];
    return [
      {
        ...nanotronRow(fields, line),
        source: "nanotron-h100 between steps",
        quantity: "resident",
        measuredBytes: allocated * GIB,
        fits: undefined,
      },
    ];
  });
  return rows.flat();
}

function nanotronRow(fields: Fields, line: number): MemoryRow {
  const model = nanotronShape(fields);
  const placement = densePlacement(fields);
  const pp = placement.pipelineParallel;
  const reserved = numberOf(fields, "mem_reserved_gb");
  const batch = requiredCount(fields, "global_batch");
  return {
    source: "nanotron-h100",
    line,
    name: `${model.hiddenSize} wide, ${model.layers.length} layers, ${sizesText(placement)}`,
    workload: {
      ...workloadOf(model, requiredCount(fields, "seq_len"), batch, "nanotron"),
      optimizerSharding: nanotronSharding(fields),
    },
    placement,
    stages: {
      ...splitByCost(model, pp),
      inFlight: inFlightOf1f1b(pp, requiredCount(fields, "grad_accum")),
      recompute: "none",
    },
    factors: MEMORY_FACTORS.nanotron,
    quantity: "reserved",
    measuredBytes: reserved === undefined ? undefined : reserved * GIB,
    fits: fields.status === "Success",
  };
}
