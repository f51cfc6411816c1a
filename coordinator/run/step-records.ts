import type { StepReport } from "../../proto/gen/moestro/v1/report_pb.js";
import type { ControllerState } from "../controller/controller.ts";
import type { MetricsRecord, SoFarRecord, TimelineRecord } from "../report/records.ts";
import { holdsState } from "./controller-marks.ts";
import { replaceFile } from "./files.ts";
import { LineReader } from "./line-reader.ts";
import { newestRecord } from "./metrics-lines.ts";
import type { RunDirectory } from "./run-directory.ts";
import { addStep, NO_STEPS, type RunFigures, runFigures, soFarOf } from "./so-far.ts";
import { type StepSink, StepWrite } from "./step-write.ts";
import { cutBehindNewest, NOTHING_SUPERSEDED, type Superseded, supersede } from "./supersede.ts";
import { SyncedLines } from "./synced-lines.ts";
import { WriteQueue, type WriteQueueOptions } from "./write-queue.ts";

/** Steps that are synced together; agents keep them until then. */
const SYNC_AFTER_MS = 1000;

/**
 * What a run leaves of its steps: metrics.jsonl and the timeline. Of a run of any length a
 * few lines are read, and none but those that wait is kept in memory.
 *
 * A line is with the kernel at once, so a crash of this process loses none, and within about
 * a second it is synced, beside all else. Only then it counts as written and its report is
 * acknowledged: agents on other machines tell again of what a crash of this one loses, and
 * what a network's disk drops is written again. Not covered are the lines that a coordinator
 * wrote and did not live to sync, where the disk drops them after the next one has read them.
 */
export class StepRecords {
  readonly queue: WriteQueue;
  readonly #options: WriteQueueOptions;
  readonly #directory: RunDirectory;
  readonly #metrics: SyncedLines;
  readonly #checkpointEverySteps: number;
  #soFar: SoFarRecord = NO_STEPS;
  #last: MetricsRecord | undefined;
  #totalMs = 0;
  #appendedStep = 0;
  #writtenStep = 0;
  #syncTimer: NodeJS.Timeout | undefined;
  #timeline: TimelineRecord | undefined;
  readonly #sink: StepSink = {
    append: (record, controller) => this.#append(record, controller),
    hasCheckpoint: (step) => this.#hasCheckpoint(step),
  };

  /**
   * `rewind` or `goOn` comes before the first step. `checkpointEverySteps`: the job's steps
   * between checkpoints, 0 for none but the last.
   */
  constructor(directory: RunDirectory, checkpointEverySteps: number, options: WriteQueueOptions) {
    this.queue = new WriteQueue(options);
    this.#options = options;
    this.#directory = directory;
    this.#checkpointEverySteps = checkpointEverySteps;
    this.#metrics = new SyncedLines(directory.metrics);
  }

  /** The newest step that counts. */
  get last(): MetricsRecord | undefined {
    return this.#last;
  }

  /** Time that went into all steps that count, those before a resume too. */
  get totalMs(): number {
    return this.#totalMs;
  }

  /** The newest step whose line the disk has. */
  get writtenStep(): number {
    return this.#writtenStep;
  }

  /** Of all steps whose lines are written. */
  figures(): RunFigures {
    return runFigures(this.#directory.metrics);
  }

  /** Goes on where the lines end, with the newest step that counts. */
  goOn(): void {
    const { metrics } = this.#directory;
    const newest = LineReader.read(metrics, newestRecord);
    this.#last = newest?.record;
    this.#soFar = soFarOf(this.#last);
    this.#totalMs = this.#soFar.stepMs;
    this.#appendedStep = this.#last?.step ?? 0;
    this.#writtenStep = this.#appendedStep;
    if (newest && newest.next < newest.end) this.queue.add({ run: () => cutBehindNewest(metrics) });
  }

  /**
   * Goes on behind `lastStep`, 0 for a new run: lines of later steps, which will be trained
   * again, are moved to metrics.superseded.jsonl.
   */
  async rewind(lastStep: number): Promise<Superseded> {
    let superseded = NOTHING_SUPERSEDED;
    const mayWrite = () => {
      if (this.queue.end) throw this.queue.end;
      return this.#options.mayWrite();
    };
    this.queue.add({
      run: async () => {
        superseded = await supersede(this.#directory, lastStep, mayWrite);
        cutBehindNewest(this.#directory.metrics);
        this.#metrics.open();
      },
    });
    await this.queue.drained();
    this.goOn();
    return superseded;
  }

  /** `controller`: as it stands behind the step, for the lines that hold it. */
  add(report: StepReport, record: MetricsRecord, controller?: ControllerState): void {
    this.#last = record;
    this.#totalMs += record.stepMs * (record.numSteps ?? 1);
    this.queue.add(new StepWrite(report, record, this.#sink, controller));
  }

  /** Has all steps so far synced, in their turn. */
  sync(): void {
    clearTimeout(this.#syncTimer);
    this.#syncTimer = undefined;
    if (this.queue.end) return;
    this.queue.add({
      run: () => (this.#writtenStep < this.#appendedStep ? this.#toDisk() : undefined),
    });
  }

  /** Takes the place of the one before, which nobody misses if it was never written. */
  timeline(record: TimelineRecord): void {
    const waits = this.#timeline !== undefined;
    this.#timeline = record;
    if (!waits) this.queue.add({ run: () => this.#writeTimeline() });
  }

  close(reason: Error): void {
    clearTimeout(this.#syncTimer);
    this.queue.close(reason);
    this.#metrics.close();
  }

  #hasCheckpoint(step: number): boolean {
    return this.#checkpointEverySteps > 0 && step % this.#checkpointEverySteps === 0;
  }

  #append(record: MetricsRecord, controller: ControllerState | undefined): void {
    const soFar = addStep(this.#soFar, record);
    const isHeld = controller !== undefined && holdsState(this.#appendedStep, record.step);
    this.#metrics.append({ ...record, soFar, ...(isHeld ? { controller } : {}) });
    this.#soFar = soFar;
    this.#appendedStep = record.step;
    this.#syncTimer ??= setTimeout(() => this.sync(), SYNC_AFTER_MS).unref();
  }

  async #toDisk(): Promise<void> {
    const step = this.#appendedStep;
    await this.#metrics.sync();
    this.#writtenStep = step;
  }

  #writeTimeline(): void {
    if (!this.#timeline) return;
    replaceFile(this.#directory.timeline, `${JSON.stringify(this.#timeline)}\n`);
    this.#timeline = undefined;
  }
}
