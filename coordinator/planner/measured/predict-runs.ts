import { TIME_FACTORS, type TimeFactors } from "../cost/time/factors.ts";
import type { MeasuredRun, ReadRow, RunKind } from "./measured-run.ts";
import { predictStep, type StepPrediction } from "./step-time.ts";

/** One row of `moestro predict --json`. */
export interface PredictedRow {
  row: number;
  name: string | null;
  kind: RunKind | null;
  source: string | null;
  what: "tokensPerSecondPerGpu";
  predicted: number | null;
  measured: number | null;
  /** Signed and relative: (predicted − measured) / measured. */
  error: number | null;
  predictedStepMs: number | null;
  assumed: readonly string[];
  /** Why there is no prediction. */
  reason: string | null;
}

export function predictRun(run: MeasuredRun, factors: TimeFactors = TIME_FACTORS): StepPrediction {
  return predictStep(run.workload, run.placement, run.numMicroBatches, run.schedule, factors);
}

export function predictRow(read: ReadRow): PredictedRow {
  const what = "tokensPerSecondPerGpu";
  const { row } = read;
  if (read.run === null) return withoutPrediction(row, read.reason);
  const { run } = read;
  const { tokensPerSecondPerGpu: predicted, stepTimeMs } = predictRun(run);
  if (!Number.isFinite(predicted)) {
    return withoutPrediction(row, "its numbers are too large to compute with");
  }
  return {
    row,
    name: run.name,
    kind: run.kind,
    source: run.source,
    what,
    predicted,
    measured: run.measured,
    error: (predicted - run.measured) / run.measured,
    predictedStepMs: stepTimeMs,
    assumed: run.assumed,
    reason: null,
  };
}

function withoutPrediction(row: number, reason: string): PredictedRow {
  return {
    row,
    name: null,
    kind: null,
    source: null,
    what: "tokensPerSecondPerGpu",
    predicted: null,
    measured: null,
    error: null,
    predictedStepMs: null,
    assumed: [],
    reason,
  };
}

/** Errors of tokens a second, relative to what was measured. */
export interface ErrorSummary {
  rows: number;
  meanAbsolute: number;
  medianAbsolute: number;
  /** The same mean of the step time: bounded where a run was far slower than predicted. */
  meanAbsoluteStep: number;
  /** Mean of the signed errors. */
  bias: number;
}

export function summarise(errors: readonly number[]): ErrorSummary {
  const absolute = errors.map(Math.abs).sort((a, b) => a - b);
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return {
    rows: errors.length,
    meanAbsolute: mean(absolute),
    medianAbsolute: absolute[Math.floor(absolute.length / 2)] ?? 0,
    meanAbsoluteStep: mean(errors.map((error) => Math.abs(1 / (1 + error) - 1))),
    bias: mean(errors),
  };
}
