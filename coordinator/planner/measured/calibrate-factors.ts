import type { TimeFactors } from "../cost/time/factors.ts";
import { factorValue, fittedFactors, withValues } from "./factor-names.ts";
import { fitRobust } from "./least-squares.ts";
import type { MeasuredRun, RunKind } from "./measured-run.ts";
import { predictRun } from "./predict-runs.ts";

/**
 * What all rows of a kind weigh together, in rows of the expected error: the planner
 * is for MoE clusters, so 36 rows of those stand against hundreds of others.
 */
const KIND_WEIGHT: Record<RunKind, number> = {
  moe: 36,
  fsdp: 2,
  dense: 10,
  nanotron: 30,
  "nanotron-slow-network": 20,
  "nanotron-slow-pipeline": 5,
  vtrain: 25,
};

/** The error that a row is expected to have. */
const EXPECTED_ERROR = 0.05;

/** Fits all factors to runs, by tokens a second; deterministic. */
function calibrateFactors(
  runs: readonly MeasuredRun[],
  start: TimeFactors,
  rounds = 12,
): TimeFactors {
  const names = fittedFactors(start);
  const weights = rowWeights(runs);
  const logs = Float64Array.from(names, (name) => Math.log(factorValue(start, name)));
  const residuals = (parameters: Float64Array) => {
    const factors = withValues(start, names, parameters);
    return Float64Array.from(runs, (run) =>
      Math.log(predictRun(run, factors).tokensPerSecondPerGpu / run.measured),
    );
  };
  const most = Float64Array.from(names, (name) => Math.log(name.most));
  const spread = Float64Array.from(names, (name) => name.spread);
  const { parameters } = fitRobust(logs, residuals, weights, { spread, rounds, most });
  return withValues(start, names, parameters);
}

/**
 * A kind's weight is shared out between its sources by the root of their rows:
 * rows of one source err together, so the twentieth says less than the first.
 */
function rowWeights(runs: readonly MeasuredRun[]): Float64Array {
  const sizes = new Map([...Map.groupBy(runs, keyOf)].map(([key, rows]) => [key, rows.length]));
  const raw = runs.map((run) => 1 / Math.sqrt(sizes.get(keyOf(run)) as number));
  const sums = new Map<RunKind, number>();
  for (const [index, { kind }] of runs.entries()) {
    sums.set(kind, (sums.get(kind) ?? 0) + (raw[index] as number));
  }
  return Float64Array.from(runs, ({ kind }, index) => {
    const share = (raw[index] as number) / (sums.get(kind) as number);
    return (KIND_WEIGHT[kind] * share) / EXPECTED_ERROR ** 2;
  });
}

function keyOf({ kind, source }: MeasuredRun): string {
  return `${kind} ${source}`;
}

/** A row's error without and with its source in the fit. */
export interface CalibrationError {
  run: MeasuredRun;
  fitted: number;
  leftOut: number;
}

export interface Calibration {
  factors: TimeFactors;
  errors: readonly CalibrationError[];
}

/**
 * Fits on everything, and once more without each source in turn. The two large
 * sources are the only ones of their software, whose constants nothing else
 * knows: of those, one model size is left out at a time.
 */
export function calibrate(runs: readonly MeasuredRun[], start: TimeFactors): Calibration {
  const factors = calibrateFactors(runs, start);
  const folds = Map.groupBy(runs, foldOf);
  const errors: CalibrationError[] = [];
  for (const [fold, left] of folds) {
    const rest = runs.filter((run) => foldOf(run) !== fold);
    const without = calibrateFactors(rest, start, 8);
    for (const run of left) {
      errors.push({ run, fitted: errorOf(run, factors), leftOut: errorOf(run, without) });
    }
  }
  return { factors, errors };
}

function foldOf({ source, group, workload: { stack } }: MeasuredRun): string {
  return stack === "megatron" ? source : `${source}, ${group}`;
}

function errorOf(run: MeasuredRun, factors: TimeFactors): number {
  return predictRun(run, factors).tokensPerSecondPerGpu / run.measured - 1;
}
