import type { ControllerState } from "../controller/controller.ts";
import type { MetricsRecord } from "../report/records.ts";
import type { Line, LineReader } from "./line-reader.ts";

/** A record as its line has it. */
export type MetricsLine = MetricsRecord & {
  /** The controller's state behind the step; only on a line now and then. */
  controller?: ControllerState;
};

/** How a line of metrics.jsonl begins: most of a long file need not be parsed. */
const STEP = /^\{"step":(\d+)[,}]/;

/**
 * The first line of a step behind this one; undefined if there is none. A coordinator that
 * was stopped while it wrote, and did not know yet that it leads no more, leaves a line of
 * a step that is there already among later ones: one such misleads nobody.
 */
export function firstLineBehind(lines: LineReader, step: number): Line | undefined {
  const isBehind = (text: string) => {
    const told = stepOf(text);
    return told === undefined ? undefined : told > step;
  };
  let found = lines.find(isBehind);
  for (;;) {
    const doubled = found ? lines.before(found) : lines.last;
    const before = doubled && lines.before(doubled);
    if (!before || !isBehind(before.text)) return found;
    found = lines.find(isBehind, before.next);
  }
}

export type Newest = {
  record: MetricsLine;
  /** Behind its line. What comes there, up to `end`, is damaged or of steps told before. */
  next: number;
  end: number;
};

/** The newest record; undefined if there is none. */
export function newestRecord(lines: LineReader): Newest | undefined {
  const { end } = lines;
  let newest: Newest | undefined;
  for (let line = lines.last; line; line = lines.before(line)) {
    const record = parseMetrics(line.text);
    if (!record) continue;
    if (newest && record.step < newest.record.step) break;
    newest = { record, next: line.next, end };
  }
  return newest;
}

/** The step of a line; undefined of one that is damaged. */
export function stepOf(text: string): number | undefined {
  const [, digits] = STEP.exec(text) ?? [];
  return digits === undefined ? parseMetrics(text)?.step : Number(digits);
}

/** A line of metrics.jsonl; undefined if it is damaged. */
export function parseMetrics(text: string): MetricsLine | undefined {
  try {
    const record = JSON.parse(text) as MetricsLine | null;
    return typeof record?.step === "number" ? record : undefined;
  } catch {
    return undefined;
  }
}
