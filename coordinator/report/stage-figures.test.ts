import assert from "node:assert/strict";
import test from "node:test";
import { makeRun } from "./fixture.ts";
import { balance, idleShare, stageFigures } from "./stage-figures.ts";

test("the plan's FLOPs share out the measured compute", () => {
  const { plan, metrics } = makeRun({ steps: 50 });
  const stages = stageFigures(plan, metrics);
  const measured = stages.reduce((sum, stage) => sum + stage.computeMs, 0);
  // The fixture's stages need 6.3 and 6.6 GFLOP.
  assert.ok(Math.abs((stages[0]?.predictedMs ?? 0) - (measured * 6.3) / 12.9) < 1e-9);
  assert.ok(Math.abs((stages[1]?.predictedMs ?? 0) - (measured * 6.6) / 12.9) < 1e-9);
});

test("the first fifth of the steps, the warm-up, does not count", () => {
  const { plan, metrics } = makeRun({ steps: 10 });
  const slow = metrics.map((record, i) => ({
    ...record,
    stages: [{ stage: 0, computeMs: i < 2 ? 9000 : 100, communicationMs: 5 }],
  }));
  assert.equal(stageFigures(plan, slow)[0]?.computeMs, 100);
});

test("without steps there are no figures, without a plan no prediction", () => {
  const { plan, metrics } = makeRun({ steps: 5 });
  assert.deepEqual(stageFigures(plan, []), []);
  assert.ok(Number.isNaN(stageFigures(undefined, metrics)[0]?.predictedMs));
});

test("balance is the mean over the slowest", () => {
  assert.equal(balance([100, 50]), 0.75);
  assert.equal(balance([7, 7, 7]), 1);
});

test("idle time is what no forward or backward fills between the first and the last", () => {
  const block = (startMs: number, endMs: number) => ({
    kind: "forward" as const,
    microBatch: 0,
    startMs,
    endMs,
  });
  const optimizer = { kind: "optimizer" as const, microBatch: -1, startMs: 40, endMs: 100 };
  const stages = [
    { stage: 0, events: [block(0, 10), block(30, 40), optimizer] },
    { stage: 1, events: [block(10, 30), optimizer] },
  ];
  assert.equal(idleShare({ step: 1, stages }), 0.5);
  assert.ok(Number.isNaN(idleShare({ step: 1, stages: [] })));
});
