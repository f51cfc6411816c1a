import { gatherBufferBytes } from "../cost/memory/buffers.ts";
import { MATRIX_WORKSPACE_BYTES } from "../cost/memory/factors.ts";
import { allocatorBytes, memoryLimitBytes } from "../cost/memory/memory-limit.ts";
import { runMemory, type StageMemory } from "../cost/memory/run-memory.ts";
import { readNanotronMemory, readNanotronResident } from "./memory-nanotron.ts";
import type { MemoryRow, MemorySource } from "./memory-row.ts";
import { readMemoryCases, readSimumaxMemory } from "./memory-rows.ts";

/** A row with its prediction. */
export interface PredictedRow {
  source: MemorySource;
  line: number;
  name: string;
  quantity: MemoryRow["quantity"];
  predictedBytes: number;
  measuredBytes: number;
  /** (predicted − measured) / measured. */
  error: number;
}

/** Runs that fitted or ran out of memory, by what was predicted of them. */
export interface Confusion {
  fitPredictedFit: number;
  fitPredictedOut: number;
  outPredictedFit: number;
  outPredictedOut: number;
  /** Of the runs predicted to fit, those that did; of those that did, the predicted. */
  precision: number;
  recall: number;
  /** The same for running out of memory. */
  outPrecision: number;
  outRecall: number;
}

export interface SourceReport {
  source: MemorySource;
  /** Of the rows with a measured figure. */
  meanAbsoluteError: number;
  medianAbsoluteError: number;
  /** Mean of the signed errors: above 0 predicts too much. */
  bias: number;
  rows: PredictedRow[];
  /** The five rows that are furthest off. */
  worst: PredictedRow[];
  confusion?: Confusion | undefined;
}

export interface MemoryReport {
  sources: SourceReport[];
}

/** Predicts every memory figure of the files in a folder and compares. */
export async function memoryReport(dataFolder: string): Promise<MemoryReport> {
  const sources = await Promise.all([
    readSimumaxMemory(dataFolder),
    readMemoryCases(dataFolder),
    readNanotronMemory(dataFolder),
    readNanotronResident(dataFolder),
  ]);
  return { sources: sources.filter((rows) => rows.length > 0).map(reportSource) };
}

/** Compares rows of one source. */
export function reportSource(rows: readonly MemoryRow[]): SourceReport {
  const predicted = rows.map((row) => ({ row, stages: predictStages(row) }));
  const measured = predicted.flatMap(({ row, stages }) => comparedRow(row, stages));
  const sorted = measured.toSorted((a, b) => Math.abs(b.error) - Math.abs(a.error));
  return {
    source: rows[0]?.source ?? "nanotron-h100",
    meanAbsoluteError: mean(measured.map(({ error }) => Math.abs(error))),
    medianAbsoluteError: Math.abs(sorted[Math.floor(sorted.length / 2)]?.error ?? Number.NaN),
    bias: mean(measured.map(({ error }) => error)),
    rows: measured,
    worst: sorted.slice(0, 5),
    ...(rows.some(({ fits }) => fits !== undefined) ? { confusion: confusionOf(predicted) } : {}),
  };
}

function predictStages(row: MemoryRow): StageMemory[] {
  return runMemory(row.workload, row.placement, row.stages, row.factors);
}

function comparedRow(row: MemoryRow, stages: readonly StageMemory[]): PredictedRow[] {
  const { source, line, name, quantity, measuredBytes } = row;
  if (measuredBytes === undefined) return [];
  const predictedBytes = quantityOf(row, stages);
  const error = (predictedBytes - measuredBytes) / measuredBytes;
  return [{ source, line, name, quantity, predictedBytes, measuredBytes, error }];
}

function quantityOf(row: MemoryRow, stages: readonly StageMemory[]): number {
  const largest = (of: (stage: StageMemory) => number) => Math.max(...stages.map(of));
  switch (row.quantity) {
    case "peak":
      return largest(({ peakBytes }) => peakBytes);
    case "static":
      return largest(({ staticBytes }) => staticBytes);
    case "activations":
      return largest(({ activationBytes, workspaceBytes }) => activationBytes + workspaceBytes);
    case "reserved":
      return allocatorBytes(stages[0]?.peakBytes ?? 0);
    case "resident":
      return (
        (stages[0]?.staticBytes ?? 0) +
        gatherBufferBytes(row.workload, row.placement, row.factors) +
        MATRIX_WORKSPACE_BYTES
      );
  }
}

function confusionOf(
  predicted: readonly { row: MemoryRow; stages: readonly StageMemory[] }[],
): Confusion {
  const counts = { fitPredictedFit: 0, fitPredictedOut: 0, outPredictedFit: 0, outPredictedOut: 0 };
  for (const { row, stages } of predicted) {
    if (row.fits === undefined) continue;
    const peak = Math.max(...stages.map(({ peakBytes }) => peakBytes));
    const isPredicted = peak <= memoryLimitBytes(row.workload.cluster);
    counts[
      row.fits
        ? isPredicted
          ? "fitPredictedFit"
          : "fitPredictedOut"
        : isPredicted
          ? "outPredictedFit"
          : "outPredictedOut"
    ]++;
  }
  const { fitPredictedFit, fitPredictedOut, outPredictedFit, outPredictedOut } = counts;
  return {
    ...counts,
    precision: fitPredictedFit / (fitPredictedFit + outPredictedFit),
    recall: fitPredictedFit / (fitPredictedFit + fitPredictedOut),
    outPrecision: outPredictedOut / (outPredictedOut + fitPredictedOut),
    outRecall: outPredictedOut / (outPredictedOut + outPredictedFit),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
