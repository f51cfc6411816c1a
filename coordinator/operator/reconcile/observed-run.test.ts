import assert from "node:assert/strict";
import { it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { RunState, RunStatusSchema } from "../../../proto/gen/moestro/v1/run_pb.js";
import { observedRun } from "./observed-run.ts";
import { summaryOf } from "./summary-of.ts";

it("a run without a step has no figures, and one with steps has them as text", () => {
  const queued = create(RunStatusSchema, { state: RunState.QUEUED, totalSteps: 240n });
  assert.deepEqual(summaryOf(observedRun(queued)), { state: "queued", step: 0, totalSteps: 240 });
  const running = create(RunStatusSchema, {
    ...{ state: RunState.RUNNING, step: 7n, totalSteps: 240n, loss: 2.34567, dropRate: 0.0125 },
    ...{ etaMs: 61_400n, layout: "edp pp 2 tp 2", mfu: 0.412 },
  });
  assert.deepEqual(summaryOf(observedRun(running)), {
    ...{ state: "running", step: 7, totalSteps: 240, loss: "2.3457", dropRate: "0.0125" },
    ...{ etaSeconds: 61, layout: "edp pp 2 tp 2", mfu: "41.2" },
  });
});

it("a state that this release does not know is no state", () => {
  assert.throws(() => observedRun(create(RunStatusSchema)), RangeError);
});
