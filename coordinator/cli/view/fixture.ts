import { Writable } from "node:stream";
import { create } from "@bufbuild/protobuf";
import { RunState, type RunStatus, RunStatusSchema } from "../../../proto/gen/moestro/v1/run_pb.js";
import { makeRun } from "../../report/fixture.ts";
import type { MetricsRecord } from "../../report/records.ts";
import { initialState, type ViewState, withEvent, withStep } from "./view-state.ts";

export const { plan, summary } = makeRun({ steps: 1 });

/** A step with round figures. */
export function makeStep(step: number, loss = 5 - step / 100): MetricsRecord {
  const drops = [0.06, 0.03, 0.02, 0.012, 0.008, 0.004];
  return {
    step,
    loss,
    gradNorm: 0.5,
    lr: 0.002,
    tokens: 4096,
    stepMs: 400,
    tokensPerSecond: 10_240,
    layers: drops.map((dropRate, layer) => ({
      layer,
      dropRate,
      auxCoeff: dropRate / 5,
      auxLoss: 0.01,
      expertLoad: [1024, 1024, 1024, 1024, 1024, 1024, 1024, 1024],
    })),
    memory: { peakBytes: 2 ** 29, stages: [] },
    stages: [],
    time: "2026-11-24T05:30:59.000Z",
  };
}

export function makeStatus(step: number, state = RunState.RUNNING): RunStatus {
  return create(RunStatusSchema, {
    runId: "quickstart-1",
    state,
    reason: "all ranks stand, training begins with step 1",
    generation: 1n,
    step: BigInt(step),
    totalSteps: 300n,
    loss: 5 - step / 100,
    validationLoss: 2.4,
    tokensPerSecond: 10_240,
    ...{ dropRate: 0.0223, modelFlopsPerSecond: 1.3e12, mfu: 0.412 },
    minCoefficient: 0.0008,
    maxCoefficient: 0.012,
    etaMs: 72_000n,
    stages: [
      { stage: 0, numLayers: 4, computeMs: 300, communicationMs: 50, peakMemoryBytes: 2n ** 29n },
      { stage: 1, numLayers: 2, computeMs: 200, communicationMs: 40, peakMemoryBytes: 2n ** 28n },
    ],
  });
}

/** A run at step 120 of 300. */
export function makeState(): ViewState {
  let state = initialState("quickstart", plan);
  for (let step = 1; step <= 120; step += 1) state = withStep(state, makeStep(step));
  const events = [
    { time: "2026-11-24T05:30:00Z", event: "run.starting", message: "Starting 4 ranks." },
    { time: "2026-11-24T05:30:05Z", event: "run.running", message: "All 4 ranks stand." },
    {
      time: "2026-11-24T05:30:50Z",
      event: "checkpoint.committed",
      message: "Step 100 is committed.",
    },
  ];
  for (const event of events) state = withEvent(state, event);
  return { ...state, status: makeStatus(120) };
}

/** A stream that keeps what is written and says it is a terminal of a size. */
export class FakeTerminal extends Writable {
  text = "";
  readonly isTTY = true;
  columns = 80;
  rows = 24;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString("utf8");
    done();
  }

  get asStream(): NodeJS.WriteStream {
    return this as unknown as NodeJS.WriteStream;
  }
}
