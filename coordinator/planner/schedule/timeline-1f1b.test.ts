import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { stagesArbitrary } from "../partition/testing.ts";
import type { Work } from "../work.ts";
import { makespan1F1B } from "./simulate-1f1b.ts";
import { type TimedPass, timeline1F1B } from "./timeline-1f1b.ts";

/**
 * The same schedule the slow way: every stage's list of operations written out,
 * and ends computed by relaxing all dependencies until nothing moves.
 */
function naiveMakespan(stages: readonly Work[], m: number): number {
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
        const input = isForward
          ? i > 0 && `F${i - 1},${k}`
          : i < p - 1
            ? `B${i + 1},${k}`
            : `F${i},${k}`;
        const before = names[n - 1];
        const start = Math.max(
          input === false ? 0 : (ends.get(input) ?? 0),
          before === undefined ? 0 : (ends.get(before) ?? 0),
        );
        const work = stages[i] as Work;
        const end = start + (isForward ? work.forward : work.backward);
        if (end !== ends.get(name)) moved = true;
        ends.set(name, end);
      }
    }
  }
  return Math.max(...ends.values());
}

function timelineOf(stages: readonly Work[], numMicroBatches: number): TimedPass[][] {
  const times = stages.map(({ forward, backward }) => ({
    forwardMs: forward,
    backwardMs: backward,
  }));
  return timeline1F1B(times, numMicroBatches, 0);
}

function makespanOf(stages: readonly Work[], numMicroBatches: number): number {
  const forward = stages.map((stage) => stage.forward);
  const backward = stages.map((stage) => stage.backward);
  return makespan1F1B(forward, backward, numMicroBatches, 0);
}

describe("1F1B", () => {
  it("takes (m + p - 1)(f + b) with equal stages", () => {
    const stages = Array.from({ length: 4 }, () => ({ forward: 1, backward: 2 }));
    assert.equal(makespanOf(stages, 8), (8 + 3) * 3);
  });

  it("agrees with a worked example of unequal stages", () => {
    // Two stages, two micro-batches. Stage 1 ends F0 at 1+2, B0 at 3+4, F1 at 9,
    // B1 at 13; stage 0 has F0 F1 | B0 at 7+2 | B1 at 13+2.
    const stages = [
      { forward: 1, backward: 2 },
      { forward: 2, backward: 4 },
    ];
    assert.equal(makespanOf(stages, 2), 15);
  });

  it("equals an independent simulation of the written-out schedule", () => {
    fc.assert(
      fc.property(stagesArbitrary, ({ stages, numMicroBatches }) => {
        assert.equal(makespanOf(stages, numMicroBatches), naiveMakespan(stages, numMicroBatches));
      }),
      { numRuns: 300 },
    );
  });

  it("records every operation once, none overlapping on its stage", () => {
    fc.assert(
      fc.property(stagesArbitrary, ({ stages, numMicroBatches }) => {
        const passes = timelineOf(stages, numMicroBatches);
        assert.equal(passes.flat().length, 2 * stages.length * numMicroBatches);
        for (const own of passes) {
          for (const [n, { startMs }] of own.entries()) {
            assert.ok(startMs >= (own[n - 1]?.endMs ?? 0));
          }
        }
      }),
    );
  });

  it("keeps at most min(m, p - i) micro-batches alive on stage i", () => {
    fc.assert(
      fc.property(stagesArbitrary, ({ stages, numMicroBatches }) => {
        const most = timelineOf(stages, numMicroBatches).map((own) => {
          let alive = 0;
          return Math.max(
            ...own.map(({ kind }) => {
              alive += kind === "forward" ? 1 : -1;
              return alive;
            }),
          );
        });
        const expected = stages.map((_, i) => Math.min(numMicroBatches, stages.length - i));
        assert.deepEqual(most, expected);
      }),
    );
  });
});
