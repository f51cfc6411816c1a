import type { StepReport } from "../../proto/gen/moestro/v1/report_pb.js";
import { joinStepReports } from "../../proto/merge-reports.ts";
import type { MetricsRecord } from "../report/records.ts";
import { metricsRecord } from "./metrics.ts";
import type { Write } from "./write-queue.ts";

/** A line of metrics.jsonl that is to be written; while it waits it may be joined with the next. */
export class StepWrite implements Write {
  readonly #report: StepReport;
  readonly #record: MetricsRecord;
  readonly #append: (record: MetricsRecord) => void;

  constructor(report: StepReport, record: MetricsRecord, append: (record: MetricsRecord) => void) {
    this.#report = report;
    this.#record = record;
    this.#append = append;
  }

  run(): void {
    this.#append(this.#record);
  }

  join(next: Write): StepWrite | undefined {
    if (!(next instanceof StepWrite)) return undefined;
    const report = joinStepReports([this.#report, next.#report]);
    const record = metricsRecord(report, new Date(next.#record.time));
    return new StepWrite(report, record, this.#append);
  }
}
