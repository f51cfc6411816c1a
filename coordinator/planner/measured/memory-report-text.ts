import type { Confusion, MemoryReport, PredictedRow, SourceReport } from "./memory-report.ts";
import { GIB } from "./memory-row.ts";

/** The report in lines: per source its errors, the worst rows, and what was told to fit. */
export function formatMemoryReport({ sources }: MemoryReport): string {
  return sources.map(formatSource).join("\n\n");
}

function formatSource(report: SourceReport): string {
  const { source, rows, worst, confusion } = report;
  const lines = [
    `${source}: ${rows.length} figures, mean absolute error ${percent(report.meanAbsoluteError)}, ` +
      `median ${percent(report.medianAbsoluteError)}, bias ${signed(report.bias)}`,
    ...(confusion === undefined ? [] : formatConfusion(confusion)),
    "  furthest off:",
    ...worst.map(formatRow),
  ];
  return lines.join("\n");
}

function formatConfusion(confusion: Confusion): string[] {
  const { fitPredictedFit, fitPredictedOut, outPredictedFit, outPredictedOut } = confusion;
  return [
    `  fits:          precision ${percent(confusion.precision)}, recall ${percent(confusion.recall)} ` +
      `(${fitPredictedFit} right, ${outPredictedFit} ran out, ${fitPredictedOut} refused)`,
    `  out of memory: precision ${percent(confusion.outPrecision)}, recall ${percent(confusion.outRecall)} ` +
      `(${outPredictedOut} right, ${fitPredictedOut} fitted, ${outPredictedFit} missed)`,
  ];
}

function formatRow({
  line,
  name,
  quantity,
  predictedBytes,
  measuredBytes,
  error,
}: PredictedRow): string {
  const figures = `${gib(predictedBytes)} for ${gib(measuredBytes)} GiB, ${signed(error)}`;
  return `    line ${line}, ${quantity}: ${figures} (${name})`;
}

function gib(bytes: number): string {
  return (bytes / GIB).toFixed(2);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

function signed(share: number): string {
  return `${share >= 0 ? "+" : ""}${(share * 100).toFixed(2)} %`;
}
