import type { TimeFactors } from "../cost/time/factors.ts";
import { table } from "../text-table.ts";
import type { Calibration, CalibrationError } from "./calibrate-factors.ts";
import { RUN_KINDS, type RunKind } from "./measured-run.ts";
import { type ErrorSummary, summarise } from "./predict-runs.ts";
import { percent } from "./prediction-report.ts";

export interface CalibrationGroup {
  /** Null for all kinds of a source. */
  kind: RunKind | null;
  /** Null for all sources of a kind. */
  source: string | null;
  fitted: ErrorSummary;
  leftOut: ErrorSummary;
}

/** Errors by kind, by kind and source, and of all rows of a source that has several kinds. */
export function groupErrors(errors: readonly CalibrationError[]): CalibrationGroup[] {
  const groups: CalibrationGroup[] = [];
  for (const [kind, rows] of Map.groupBy(errors, ({ run }) => run.kind)) {
    groups.push(groupOf(kind, null, rows));
    const bySource = Map.groupBy(rows, ({ run }) => run.source);
    if (bySource.size === 1) continue;
    for (const [source, some] of bySource) groups.push(groupOf(kind, source, some));
  }
  for (const [source, rows] of Map.groupBy(errors, ({ run }) => run.source)) {
    const kinds = new Set(rows.map(({ run }) => run.kind));
    if (kinds.size > 1) groups.push(groupOf(null, source, rows));
  }
  return groups;
}

function groupOf(
  kind: RunKind | null,
  source: string | null,
  rows: readonly CalibrationError[],
): CalibrationGroup {
  return {
    kind,
    source,
    fitted: summarise(rows.map(({ fitted }) => fitted)),
    leftOut: summarise(rows.map(({ leftOut }) => leftOut)),
  };
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
    source === null
      ? RUN_KINDS[kind as RunKind]
      : kind === null
        ? `all of ${source}`
        : `  ${source}`,
    String(fitted.rows),
    percent(fitted.meanAbsolute),
    percent(fitted.medianAbsolute),
    percent(fitted.meanAbsoluteStep),
    percent(leftOut.meanAbsolute),
    percent(leftOut.medianAbsolute),
    percent(leftOut.meanAbsoluteStep),
    percent(leftOut.bias),
  ]);
  const head = ["runs", "rows", "fitted", "median", "step", "left out", "median", "step", "bias"];
  const machine = Object.entries(factors.machine).map(([name, value]) => [
    name,
    Number(value.toPrecision(4)).toString(),
  ]);
  return [
    "Mean error of tokens a second a GPU, and of the step time; left out: with the row's source not in the fit",
    ...table([head, ...rows]),
    "",
    "Constants of the machine; those of each software are in the file written",
    ...table(machine),
  ].join("\n");
}
