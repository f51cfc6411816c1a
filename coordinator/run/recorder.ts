import { appendFileSync, closeSync, existsSync, openSync, readFileSync, writeSync } from "node:fs";
import type {
  EventRecord,
  MetricsRecord,
  SummaryRecord,
  TimelineRecord,
} from "../report/records.ts";
import { replaceFile, writeAtomically, writeError } from "./files.ts";
import type { RunDirectory } from "./run-directory.ts";
import { digest, type StepDigest } from "./summary.ts";

/** Appends lines to a file; a failure is told in one line. */
class LineFile {
  readonly #path: string;
  readonly #file: number;

  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, "a");
    } catch (error) {
      throw writeError(path, error);
    }
  }

  append(record: object): void {
    try {
      writeSync(this.#file, `${JSON.stringify(record)}\n`);
    } catch (error) {
      throw writeError(this.#path, error);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Writes what a run leaves for people and programs: metrics, events, timeline, summary. */
export class Recorder {
  /** All steps so far, those before a resume too. */
  readonly history: StepDigest[];
  readonly #directory: RunDirectory;
  readonly #metrics: LineFile;
  readonly #events: LineFile;

  /**
   * Opens the files of a run that continues behind `lastStep` (0 for a new
   * run). Lines of later steps, which will be trained again, are moved to
   * metrics.superseded.jsonl; a line cut short by a crash is moved too.
   */
  constructor(directory: RunDirectory, lastStep: number) {
    this.#directory = directory;
    this.history = existsSync(directory.metrics) ? keepUpTo(directory, lastStep) : [];
    this.#metrics = new LineFile(directory.metrics);
    this.#events = new LineFile(directory.events);
  }

  step(record: MetricsRecord): void {
    this.#metrics.append(record);
    this.history.push(digest(record));
  }

  event(record: EventRecord): void {
    this.#events.append(record);
  }

  timeline(record: TimelineRecord): void {
    replaceFile(this.#directory.timeline, `${JSON.stringify(record)}\n`);
  }

  summary(record: SummaryRecord): void {
    writeAtomically(this.#directory.summary, `${JSON.stringify(record, null, 2)}\n`);
  }

  close(): void {
    this.#metrics.close();
    this.#events.close();
  }
}

/** Moves lines of later steps aside and returns what is left. */
function keepUpTo(directory: RunDirectory, lastStep: number): StepDigest[] {
  const lines = readFileSync(directory.metrics, "utf8").split("\n");
  const parsed = lines.filter((line) => line !== "").map((line) => ({ line, record: parse(line) }));
  const history: StepDigest[] = [];
  let kept = "";
  let superseded = "";
  for (const { line, record } of parsed) {
    if (record && record.step <= lastStep) {
      kept += `${line}\n`;
      history.push(digest(record));
    } else superseded += `${line}\n`;
  }
  if (superseded !== "") {
    try {
      appendFileSync(directory.supersededMetrics, superseded);
    } catch (error) {
      throw writeError(directory.supersededMetrics, error);
    }
    writeAtomically(directory.metrics, kept);
  }
  return history;
}

/** A line of metrics.jsonl; undefined if it was cut short. */
function parse(line: string): MetricsRecord | undefined {
  try {
    return JSON.parse(line) as MetricsRecord;
  } catch {
    return undefined;
  }
}
