import type { StepReport } from "../../proto/gen/moestro/v1/report_pb.js";
import type { MetricsRecord, SoFarRecord, TimelineRecord } from "../report/records.ts";
import { replaceFile } from "./files.ts";
import { LineFile } from "./line-file.ts";
import { LineReader } from "./line-reader.ts";
import { parseMetrics } from "./metrics-lines.ts";
import type { RunDirectory } from "./run-directory.ts";
import { addStep, NO_STEPS, type RunFigures, runFigures, soFarOf } from "./so-far.ts";
import { StepWrite } from "./step-write.ts";
import { NOTHING_SUPERSEDED, type Superseded, supersede } from "./supersede.ts";
import { WriteQueue, type WriteQueueOptions } from "./write-queue.ts";

/**
 * What a run leaves of its steps: metrics.jsonl and the timeline. Of a run of any length a
 * few lines are read, and none but those that wait is kept in memory.
 *
 * A line is with the kernel once it is written, and lost neither by a crash of this process
 * nor by its end; then its report is acknowledged. It is not synced: that would cost every
 * run a wait for the disk, again and again, for what a crash of the whole machine alone
 * could lose, the lines of the seconds that the kernel lets pass before it writes (30 by
 * Linux's defaults). Checkpoints' manifests are synced, so no step is trained again for it.
 */
export class StepRecords {
  readonly queue: WriteQueue;
  readonly #options: WriteQueueOptions;
  readonly #directory: RunDirectory;
  readonly #metrics: LineFile;
  #soFar: SoFarRecord = NO_STEPS;
  #last: MetricsRecord | undefined;
  #totalMs = 0;
  #writtenStep = 0;
  #timeline: TimelineRecord | undefined;

  /** `rewind` or `goOn` comes before the first step. */
  constructor(directory: RunDirectory, options: WriteQueueOptions) {
    this.queue = new WriteQueue(options);
    this.#options = options;
    this.#directory = directory;
    this.#metrics = new LineFile(directory.metrics);
  }

  /** The newest step that counts. */
  get last(): MetricsRecord | undefined {
    return this.#last;
  }

  /** Time that went into all steps that count, those before a resume too. */
  get totalMs(): number {
    return this.#totalMs;
  }

  /** The newest step whose line is written. */
  get writtenStep(): number {
    return this.#writtenStep;
  }

  /** Of all steps whose lines are written. */
  figures(): RunFigures {
    return runFigures(this.#directory.metrics);
  }

  /** Goes on where the lines end, with the newest step that counts. */
  goOn(): void {
    const text = LineReader.read(this.#directory.metrics, ({ last }) => last?.text);
    this.#last = text === undefined ? undefined : parseMetrics(text);
    this.#soFar = soFarOf(this.#last);
    this.#totalMs = this.#soFar.stepMs;
    this.#writtenStep = this.#last?.step ?? 0;
  }

  /**
   * Goes on behind `lastStep`, 0 for a new run: lines of later steps, which will be trained
   * again, are moved to metrics.superseded.jsonl.
   */
  async rewind(lastStep: number): Promise<Superseded> {
    let superseded = NOTHING_SUPERSEDED;
    const mayCut = () => {
      if (this.queue.end) throw this.queue.end;
      return this.#options.mayWrite();
    };
    this.queue.add({
      run: async () => {
        superseded = await supersede(this.#directory, lastStep, mayCut);
        this.#metrics.create();
      },
    });
    await this.queue.drained();
    this.goOn();
    return superseded;
  }

  add(report: StepReport, record: MetricsRecord): void {
    this.#last = record;
    this.#totalMs += record.stepMs * (record.numSteps ?? 1);
    this.queue.add(new StepWrite(report, record, (written) => this.#append(written)));
  }

  /** Takes the place of the one before, which nobody misses if it was never written. */
  timeline(record: TimelineRecord): void {
    const waits = this.#timeline !== undefined;
    this.#timeline = record;
    if (!waits) this.queue.add({ run: () => this.#writeTimeline() });
  }

  close(reason: Error): void {
    this.queue.close(reason);
    this.#metrics.close();
  }

  #append(record: MetricsRecord): void {
    const soFar = addStep(this.#soFar, record);
    this.#metrics.append({ ...record, soFar });
    this.#soFar = soFar;
    this.#writtenStep = record.step;
  }

  #writeTimeline(): void {
    if (!this.#timeline) return;
    replaceFile(this.#directory.timeline, `${JSON.stringify(this.#timeline)}\n`);
    this.#timeline = undefined;
  }
}
