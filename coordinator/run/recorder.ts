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
  readonly #directory: RunDirectory;
  readonly #events: LineFile;
  #metrics: LineFile | undefined;
  #history: StepDigest[] = [];
  #stepsMs = 0;
  #last: MetricsRecord | undefined;

  /** Opens the files of a run: `rewind` comes before the first step. */
  constructor(directory: RunDirectory) {
    this.#directory = directory;
    this.#events = new LineFile(directory.events);
  }

  /** All steps so far that count, those before a resume too. */
  get history(): readonly StepDigest[] {
    return this.#history;
  }

  /** The newest of them. */
  get last(): MetricsRecord | undefined {
    return this.#last;
  }

  /** Time that went into them. */
  get stepsMs(): number {
    return this.#stepsMs;
  }

  /**
   * Goes on behind `lastStep`: 0 for a new run, infinity to go on where the records
   * end. Lines of later steps, which will be trained again, are moved to
   * metrics.superseded.jsonl, as is a line cut short by a crash. Returns the steps that
   * were moved.
   */
  rewind(lastStep: number): readonly StepDigest[] {
    const { metrics } = this.#directory;
    this.#metrics?.close();
    const kept = existsSync(metrics) ? keepUpTo(this.#directory, lastStep) : NOTHING;
    this.#history = kept.history;
    this.#last = kept.last;
    this.#metrics = new LineFile(metrics);
    this.#stepsMs = kept.history.reduce((sum, { stepMs }) => sum + stepMs, 0);
    return kept.superseded;
  }

  step(record: MetricsRecord): void {
    this.#metrics?.append(record);
    this.#history.push(digest(record));
    this.#last = record;
    this.#stepsMs += record.stepMs;
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
    this.#metrics?.close();
    this.#events.close();
  }
}

type Kept = {
  history: StepDigest[];
  superseded: StepDigest[];
  last: MetricsRecord | undefined;
};

const NOTHING: Kept = { history: [], superseded: [], last: undefined };

/** Moves lines of later steps aside and returns what is left. */
function keepUpTo(directory: RunDirectory, lastStep: number): Kept {
  const lines = readFileSync(directory.metrics, "utf8").split("\n");
  const parsed = lines.filter((line) => line !== "").map((line) => ({ line, record: parse(line) }));
  const history: StepDigest[] = [];
  let kept = "";
  const superseded: StepDigest[] = [];
  let moved = "";
  let last: MetricsRecord | undefined;
  for (const { line, record } of parsed) {
    // A step that two coordinators wrote, one of them about to learn that it leads no more, is the same twice.
    if (record && record.step === history.at(-1)?.step) continue;
    if (record && record.step <= lastStep) {
      kept += `${line}\n`;
      history.push(digest(record));
      last = record;
    } else {
      moved += `${line}\n`;
      if (record) superseded.push(digest(record));
    }
  }
  if (moved !== "") {
    try {
      appendFileSync(directory.supersededMetrics, moved);
    } catch (error) {
      throw writeError(directory.supersededMetrics, error);
    }
    writeAtomically(directory.metrics, kept);
  }
  return { history, superseded, last };
}

/** A line of metrics.jsonl; undefined if it was cut short. */
function parse(line: string): MetricsRecord | undefined {
  try {
    return JSON.parse(line) as MetricsRecord;
  } catch {
    return undefined;
  }
}
