import { create } from "@bufbuild/protobuf";
import { type StepReport, StepReportSchema } from "../../proto/gen/moestro/v1/report_pb.js";
import type { WriteError } from "./files.ts";
import { metricsRecord } from "./metrics.ts";
import { Recorder } from "./recorder.ts";
import type { RunDirectory } from "./run-directory.ts";

/** What all ranks report of a step; the loss is its own. */
export function reportOfStep(step: number): StepReport {
  return create(StepReportSchema, {
    ...{ step: BigInt(step), numRanks: 1, lossSum: 640 / step, lossTokens: 64n, stepMs: 10 },
    layers: [{ layer: 0, routed: [60, 40], dropped: [step % 50, 0], auxLossCount: 1 }],
  });
}

/** A recorder with nobody to tell of a disk that is full, and its steps as ranks report them. */
export class TestRecorder extends Recorder {
  /** Told of records that wait, and "" of records that are written again. */
  readonly told: string[] = [];

  constructor(directory: RunDirectory, leads = () => true) {
    super({
      ...{ directory, leads, checkpointEverySteps: 0 },
      stuck: (error: WriteError) => this.told.push(error.message),
      unstuck: () => this.told.push(""),
    });
  }

  /** Records the steps from one to another. Trained again, they differ in their time. */
  train(from: number, to: number, time = new Date()): void {
    for (let step = from; step <= to; step += 1) {
      const report = reportOfStep(step);
      this.steps.add(report, metricsRecord(report, time));
    }
  }
}
