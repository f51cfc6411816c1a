import type { TimeFactors } from "../cost/time/factors.ts";
import { table } from "../text-table.ts";
import type { Calibration, CalibrationError } from "./calibrate-factors.ts";
import { RUN_KINDS, type RunKind } from "./measured-run.ts";
import { type ErrorSummary, summarise } from "./predict-runs.ts";
import { percent } from "./prediction-report.ts";

export interface CalibrationGroup {
  kind: RunKind;
  /** Null for all sources of a kind. */
  source: string | null;
  fitted: ErrorSummary;
  leftOut: ErrorSummary;
}

/** Errors by kind, and by kind and source. */
export function groupErrors(errors: readonly CalibrationError[]): CalibrationGroup[] {
  const groups: CalibrationGroup[] = [];
  for (const [kind, rows] of Map.groupBy(errors, ({ run }) => run.kind)) {
    const of = (source: string | null, some: readonly CalibrationError[]): CalibrationGroup => ({
      kind,
      source,
      fitted: summarise(some.map(({ fitted }) => fitted)),
      leftOut: summarise(some.map(({ leftOut }) => leftOut)),
    });
    groups.push(of(null, rows));
    const bySource = Map.groupBy(rows, ({ run }) => run.source);
    if (bySource.size > 1) for (const [source, some] of bySource) groups.push(of(source, some));
  }
  return groups;
}

/** The constants as JSON, or as the module cost/time/fitted-factors.ts. */
export function factorsFile(path: string, factors: TimeFactors): string {
  const rounded = JSON.stringify(
    factors,
    (_, value) => (typeof value === "number" ? Number(value.toPrecision(4)) : value),
    2,
  );
  if (!path.endsWith(".ts")) return `${rounded}\n`;
  const fields = rounded.replace(/"(\w+)":/g, "$1:").replace(/([^{,[])\n/g, "$1,\n");
  return `import type { TimeFactors } from "./factors.ts";

/** Written by \`moestro calibrate --out\`; docs/calibration.md has its errors. */
export const TIME_FACTORS: TimeFactors = ${fields};\n`;
}

export function describeCalibration({ errors, factors }: Calibration): string {
  const rows = groupErrors(errors).map(({ kind, source, fitted, leftOut }) => [
    source === null ? RUN_KINDS[kind] : `  ${source}`,
    String(fitted.rows),
    percent(fitted.meanAbsolute),
    percent(fitted.medianAbsolute),
    percent(leftOut.meanAbsolute),
    percent(leftOut.medianAbsolute),
    percent(leftOut.bias),
  ]);
  const head = ["runs", "rows", "fitted", "median", "left out", "median", "bias"];
  const machine = Object.entries(factors.machine).map(([name, value]) => [
    name,
    Number(value.toPrecision(4)).toString(),
  ]);
  return [
    "Error of tokens a second a GPU; left out: with the row's source not in the fit",
    ...table([head, ...rows]),
    "",
    "Constants of the machine; those of each software are in the file written",
    ...table(machine),
  ].join("\n");
}
