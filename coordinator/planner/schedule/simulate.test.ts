import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { stagesArbitrary } from "../partition/testing.ts";
import type { Work } from "../work.ts";
import { type Operation, simulate1F1B } from "./simulate.ts";

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

describe("simulate1F1B", () => {
  it("takes (m + p - 1)(f + b) with equal stages", () => {
    const stages = Array.from({ length: 4 }, () => ({ forward: 1, backward: 2 }));
    assert.equal(simulate1F1B(stages, 8), (8 + 3) * 3);
  });

  it("agrees with a worked example of unequal stages", () => {
    // Two stages, two micro-batches. Stage 1 ends F0 at 1+2, B0 at 3+4, F1 at 9,
    // B1 at 13; stage 0 has F0 F1 | B0 at 7+2 | B1 at 13+2.
    const stages = [
      { forward: 1, backward: 2 },
      { forward: 2, backward: 4 },
    ];
    assert.equal(simulate1F1B(stages, 2), 15);
  });

  it("equals an independent simulation of the written-out schedule", () => {
    fc.assert(
      fc.property(stagesArbitrary, ({ stages, numMicroBatches }) => {
        assert.equal(simulate1F1B(stages, numMicroBatches), naiveMakespan(stages, numMicroBatches));
      }),
      { numRuns: 300 },
    );
  });

  it("records every operation once, none overlapping on its stage", () => {
    fc.assert(
      fc.property(stagesArbitrary, ({ stages, numMicroBatches }) => {
        const operations: Operation[] = [];
        const makespan = simulate1F1B(stages, numMicroBatches, (operation) => {
          operations.push(operation);
        });
        assert.equal(operations.length, 2 * stages.length * numMicroBatches);
        for (const index of stages.keys()) {
          const own = operations.filter(({ stage }) => stage === index);
          for (const [n, { start }] of own.entries()) {
            assert.ok(start >= (own[n - 1]?.end ?? 0));
          }
        }
        assert.equal(Math.max(...operations.map(({ end }) => end)), makespan);
      }),
    );
  });

  it("keeps at most min(m, p - i) micro-batches alive on stage i", () => {
    fc.assert(
      fc.property(stagesArbitrary, ({ stages, numMicroBatches }) => {
        const alive = stages.map(() => 0);
        const most = stages.map(() => 0);
        simulate1F1B(stages, numMicroBatches, ({ stage, kind }) => {
          alive[stage] = (alive[stage] ?? 0) + (kind === "forward" ? 1 : -1);
          most[stage] = Math.max(most[stage] ?? 0, alive[stage]);
        });
        const expected = stages.map((_, i) => Math.min(numMicroBatches, stages.length - i));
        assert.deepEqual(most, expected);
      }),
    );
  });
});
