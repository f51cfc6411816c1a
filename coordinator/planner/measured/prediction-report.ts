import { table } from "../text-table.ts";
import { type CsvTable, csvField } from "./csv.ts";
import { RUN_KINDS, type RunKind } from "./measured-run.ts";
import { type ErrorSummary, type PredictedRow, summarise } from "./predict-runs.ts";

export const percent = (share: number) =>
  `${share < 0 ? "-" : ""}${Math.abs(share * 100).toFixed(1)} %`;

/** The input's own columns with predictions behind them. */
export function predictedCsv(
  { columns, rows }: CsvTable,
  predictions: readonly PredictedRow[],
): string {
  const added = [
    "predicted_tok_s_gpu",
    "measured_tok_s_gpu",
    "error",
    "predicted_step_s",
    "reason",
  ];
  const lines = rows.map((fields, index) => {
    const found = predictions[index];
    const round = (value: number | null | undefined, digits: number) =>
      value === null || value === undefined ? null : Number(value.toPrecision(digits));
    const step = found?.predictedStepMs ?? null;
    return [
      ...columns.map((name) => fields[name] ?? ""),
      round(found?.predicted, 6),
      round(found?.measured, 6),
      round(found?.error, 4),
      step === null ? null : round(step / 1000, 6),
      found?.reason ?? null,
    ];
  });
  const all = [[...columns, ...added], ...lines];
  return `${all.map((line) => line.map(csvField).join(",")).join("\n")}\n`;
}

/** Errors by kind and source, FSDP apart. */
export function summariseRows(
  rows: readonly PredictedRow[],
): ({ kind: RunKind; source: string } & ErrorSummary)[] {
  const known = rows.filter((row) => row.error !== null);
  return [...Map.groupBy(known, ({ kind, source }) => `${kind}\n${source}`).values()].map(
    (group) => ({
      kind: group[0]?.kind as RunKind,
      source: group[0]?.source as string,
      ...summarise(group.map(({ error }) => error as number)),
    }),
  );
}

/** What a person reads: every row (of a short file), then errors by source. */
export function describePredictions(rows: readonly PredictedRow[]): string {
  const shown = rows.slice(0, 100);
  const lines = [
    ["row", "run", "measured", "predicted", "error"],
    ...shown.map(({ row, name, measured, predicted, error, reason }) => [
      String(row),
      name ?? "",
      measured === null ? "" : measured.toFixed(0),
      predicted === null ? "" : predicted.toFixed(0),
      error === null ? (reason ?? "") : percent(error),
    ]),
  ];
  const rest = rows.length - shown.length;
  const summary = [
    ["kind", "source", "rows", "mean error", "median", "of step time", "bias"],
    ...summariseRows(rows).map(({ kind, source, ...errors }) => [
      RUN_KINDS[kind],
      source,
      String(errors.rows),
      percent(errors.meanAbsolute),
      percent(errors.medianAbsolute),
      percent(errors.meanAbsoluteStep),
      percent(errors.bias),
    ]),
  ];
  return [
    "tokens a second a GPU",
    ...table(lines),
    ...(rest > 0 ? [`... and ${rest} more rows in the CSV`] : []),
    "",
    ...table(summary),
  ].join("\n");
}
