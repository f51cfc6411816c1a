import assert from "node:assert/strict";
import { test } from "node:test";
import { runFigures } from "./so-far.ts";
import { summaryRecord } from "./summary.ts";

const figures = {
  ...{ steps: 20, firstLoss: 5, finalLoss: 3.1, validationLoss: 1.5 },
  ...{ meanDropRateFirst: 0.005, meanDropRateLast: 0.185 },
};
const run = {
  ...{ runId: "r", name: "n", reason: "done", sample: null, wallSeconds: 9 },
  ...{ checkpointStep: 20, generation: 1, lateControlValues: 0 },
};

test("the summary has the run's figures, and the speed of what was trained here", () => {
  const here = { numTokensHere: 2000, trainSeconds: 4 };
  const summary = summaryRecord({ ...run, ...here, figures, status: "succeeded" });
  assert.equal(summary.firstLoss, 5);
  assert.equal(summary.meanDropRateLast, 0.185);
  assert.equal(summary.tokensPerSecond, 500);
});

test("a run that failed before its first step still has a summary", () => {
  const here = { numTokensHere: 0, trainSeconds: null };
  const none = runFigures("/no/such/metrics.jsonl");
  const summary = summaryRecord({ ...run, ...here, figures: none, status: "failed" });
  assert.equal(summary.steps, 0);
  assert.equal(summary.firstLoss, null);
  assert.equal(summary.tokensPerSecond, null);
});
