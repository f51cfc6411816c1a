import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stagesArbitrary } from "../partition/testing.ts";
import { makespan1F1B } from "./simulate-1f1b.ts";

interface Stage {
  forward: number;
  backward: number;
}

/**
 * The same schedule the slow way: every stage's list of operations written out,
 * and ends computed by relaxing all dependencies until nothing moves.
 */
function naiveMakespan(stages: readonly Stage[], m: number, latency: number): number {
  const p = stages.length;
  const order = stages.map((_, i) => {
    const warmup = Math.min(m, p - i - 1);
    const names: string[] = [];
    for (let k = 0; k < warmup; k++) names.push(`F${i},${k}`);
    for (let k = warmup; k < m; k++) names.push(`F${i},${k}`, `B${i},${k - warmup}`);
    for (let k = m - warmup; k < m; k++) names.push(`B${i},${k}`);
    return names;
  });
  const ends = new Map<string, number>();
  for (let moved = true; moved; ) {
    moved = false;
    for (const [i, names] of order.entries()) {
      for (const [n, name] of names.entries()) {
        const k = name.split(",")[1];
        const isForward = name.startsWith("F");
        const sender = isForward ? `F${i - 1},${k}` : `B${i + 1},${k}`;
        const isFirst = isForward ? i === 0 : i === p - 1;
        const input = isFirst
          ? (ends.get(`F${i},${isForward ? -1 : k}`) ?? 0)
          : (ends.get(sender) ?? 0) + latency;
        const before = names[n - 1];
        const start = Math.max(input, before === undefined ? 0 : (ends.get(before) ?? 0));
        const work = stages[i] as Stage;
        const end = start + (isForward ? work.forward : work.backward);
        if (end !== ends.get(name)) moved = true;
        ends.set(name, end);
      }
    }
  }
  return Math.max(...ends.values());
}

test("it equals an independent simulation of the written-out schedule", () => {
  fc.assert(
    fc.property(stagesArbitrary, fc.nat(9), ({ stages, numMicroBatches }, latency) => {
      const forward = stages.map((stage) => stage.forward);
      const backward = stages.map((stage) => stage.backward);
      assert.equal(
        makespan1F1B(forward, backward, numMicroBatches, latency),
        naiveMakespan(stages, numMicroBatches, latency),
      );
    }),
    { numRuns: 300 },
  );
});

test("equal stages take (m + p - 1)(f + b)", () => {
  assert.equal(makespan1F1B([1, 1, 1, 1], [2, 2, 2, 2], 8, 0), (8 + 3) * 3);
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
