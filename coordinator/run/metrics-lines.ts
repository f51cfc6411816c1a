import type { MetricsRecord } from "../report/records.ts";
import type { Line, LineReader } from "./line-reader.ts";

/** How a line of metrics.jsonl begins: most of a long file need not be parsed. */
const STEP = /^\{"step":(\d+)[,}]/;

/** The first line of a step behind this one; undefined if there is none. */
export function firstLineBehind(lines: LineReader, step: number): Line | undefined {
  return lines.find((text) => stepOf(text) > step);
}

/** The step of a line; 0 of one that is none. */
export function stepOf(text: string): number {
  const [, digits] = STEP.exec(text) ?? [];
  return digits === undefined ? (parseMetrics(text)?.step ?? 0) : Number(digits);
}

/** A line of metrics.jsonl; undefined if it is damaged. */
export function parseMetrics(text: string): MetricsRecord | undefined {
  try {
    return JSON.parse(text) as MetricsRecord;
  } catch {
    return undefined;
  }
}
