import type { StepReport } from "../../proto/gen/moestro/v1/report_pb.js";
import { joinStepReports } from "../../proto/merge-reports.ts";
import type { ControllerState } from "../controller/controller.ts";
import type { MetricsRecord } from "../report/records.ts";
import { metricsRecord } from "./metrics.ts";
import type { Write } from "./write-queue.ts";

/** Where lines go. */
export type StepSink = {
  append(record: MetricsRecord, controller: ControllerState | undefined): void;
  /** Whether a step has a checkpoint, behind which the run may go on. */
  hasCheckpoint(step: number): boolean;
};

/** A line of metrics.jsonl that is to be written; while it waits it may be joined with the next. */
export class StepWrite implements Write {
  readonly #report: StepReport;
  readonly #record: MetricsRecord;
  readonly #sink: StepSink;
  readonly #controller: ControllerState | undefined;

  /** `controller`: as it stands behind the step. */
  constructor(
    report: StepReport,
    record: MetricsRecord,
    sink: StepSink,
    controller?: ControllerState,
  ) {
    this.#report = report;
    this.#record = record;
    this.#sink = sink;
    this.#controller = controller;
  }

  run(): void {
    this.#sink.append(this.#record, this.#controller);
  }

  /** Not over a checkpoint, behind which lines may have to be cut off, unless memory is short. */
  join(next: Write, isShort: boolean): StepWrite | undefined {
    if (!(next instanceof StepWrite)) return undefined;
    if (!isShort && this.#sink.hasCheckpoint(this.#record.step)) return undefined;
    const report = joinStepReports([this.#report, next.#report]);
    const record = metricsRecord(report, new Date(next.#record.time));
    return new StepWrite(report, record, this.#sink, next.#controller);
  }
}
