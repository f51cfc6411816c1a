import assert from "node:assert/strict";
import { test } from "node:test";
import type { MetricsRecord } from "../report/records.ts";
import { metricsRecord } from "./metrics.ts";
import { reportOfStep } from "./recorder-fixture.ts";
import { StepWrite } from "./step-write.ts";

const written: MetricsRecord[] = [];
const sink = {
  append: (record: MetricsRecord) => written.push(record),
  hasCheckpoint: (step: number) => step % 4 === 0,
};
const writeOf = (step: number) => {
  const report = reportOfStep(step);
  return new StepWrite(report, metricsRecord(report, new Date(0)), sink);
};

test("lines are joined up to a checkpoint and not over it, unless memory is short", () => {
  const upTo = writeOf(3).join(writeOf(4), false);
  upTo?.run();
  assert.deepEqual([written.at(-1)?.step, written.at(-1)?.numSteps], [4, 2]);
  assert.equal(upTo?.join(writeOf(5), false), undefined);
  upTo?.join(writeOf(5), true)?.run();
  assert.deepEqual([written.at(-1)?.step, written.at(-1)?.numSteps], [5, 3]);
});
