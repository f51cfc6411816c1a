import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stagesArbitrary } from "../partition/testing.ts";
import { makespan1F1B } from "./simulate-1f1b.ts";
import { timeline1F1B } from "./timeline-1f1b.ts";

test("it is the end of the last pass of the timeline", () => {
  fc.assert(
    fc.property(stagesArbitrary, fc.nat(9), ({ stages, numMicroBatches }, latency) => {
      const forward = stages.map((stage) => stage.forward);
      const backward = stages.map((stage) => stage.backward);
      const times = stages.map((stage) => ({
        forwardMs: stage.forward,
        backwardMs: stage.backward,
      }));
      const passes = timeline1F1B(times, numMicroBatches, latency).flat();
      assert.equal(
        makespan1F1B(forward, backward, numMicroBatches, latency),
        Math.max(...passes.map(({ endMs }) => endMs)),
      );
    }),
  );
});

test("one micro-batch pays every hop there and back", () => {
  assert.equal(makespan1F1B([1, 2, 3], [2, 4, 6], 1, 5), 18 + 4 * 5);
});

test("two stages with a latency of 1 agree with a worked example", () => {
  // Stage 1: F0 2-4, B0 4-8, F1 8-10, B1 10-14. Stage 0: F0, F1, B0 9-11, B1 15-17.
  assert.equal(makespan1F1B([1, 2], [2, 4], 2, 1), 17);
});

test("latency never makes a step shorter", () => {
  fc.assert(
    fc.property(stagesArbitrary, fc.nat(9), ({ stages, numMicroBatches }, latency) => {
      const forward = stages.map((stage) => stage.forward);
      const backward = stages.map((stage) => stage.backward);
      const without = makespan1F1B(forward, backward, numMicroBatches, 0);
      assert.ok(makespan1F1B(forward, backward, numMicroBatches, latency) >= without);
    }),
  );
});
