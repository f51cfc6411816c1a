import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makespan1F1B } from "../schedule/simulate-1f1b.ts";
import { blockTermMs } from "./block-term.ts";
import { stageTerm } from "./stage-term.ts";

const stages = fc.record({
  // Few different times, so that many stages tie.
  times: fc.array(
    fc.record({
      forward: fc.integer({ min: 0, max: 4 }),
      backward: fc.integer({ min: 0, max: 8 }),
    }),
    { minLength: 1, maxLength: 8 },
  ),
  microBatches: fc.integer({ min: 1, max: 24 }),
  p2pMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 6, noNaN: true })),
});
type Stages = typeof stages extends fc.Arbitrary<infer T> ? T : never;

function simulatedMs({ times, microBatches, p2pMs }: Stages): number {
  const forward = times.map((each) => each.forward);
  const backward = times.map((each) => each.backward);
  return makespan1F1B(forward, backward, microBatches, p2pMs);
}

function sumsOf({ times }: Stages): number[] {
  const sums = [0];
  for (const { forward, backward } of times)
    sums.push((sums.at(-1) as number) + forward + backward);
  return sums;
}

function largestBlockMs(each: Stages): number {
  const problem = { ...each, stages: each.times.length };
  const sums = sumsOf(each);
  const terms = each.times.map((_, last) => blockTermMs(sums, last, problem));
  const whole = (sums.at(-1) as number) + 2 * each.p2pMs * (problem.stages - 1);
  return 2 * whole + Math.max(...terms);
}

test("no block of stages is bounded above what the schedule takes", () => {
  fc.assert(
    fc.property(stages, (each) => {
      const simulated = simulatedMs(each);
      assert.ok(largestBlockMs(each) <= simulated * (1 + 1e-9) + 1e-9);
    }),
    { numRuns: 20_000, seed: 11 },
  );
});

test("no stage is bounded above what the schedule takes", () => {
  fc.assert(
    fc.property(stages, (each) => {
      const simulated = simulatedMs(each);
      const { times, microBatches, p2pMs } = each;
      const sums = sumsOf(each);
      for (const [stage, { forward, backward }] of times.entries()) {
        const hops = times.length - 1 - stage;
        const term = stageTerm(
          (sums[stage] as number) + 2 * p2pMs * stage,
          forward,
          backward,
          (sums.at(-1) as number) - (sums[stage + 1] as number) + 2 * p2pMs * hops,
          microBatches,
          Math.min(microBatches, hops),
        );
        assert.ok(term <= simulated * (1 + 1e-9) + 1e-9);
      }
    }),
    { numRuns: 20_000, seed: 12 },
  );
});

test("equal stages take what the block of all of them does, hops and all", () => {
  for (const [numStages, rounds] of [
    [4, 3],
    [6, 5],
    [12, 2],
  ] as const) {
    const each: Stages = {
      times: Array.from({ length: numStages }, () => ({ forward: 1, backward: 2 })),
      microBatches: numStages * rounds + 1,
      p2pMs: 0.25,
    };
    const simulated = simulatedMs(each);
    assert.ok(Math.abs(largestBlockMs(each) - simulated) <= 1e-9 * simulated);
  }
});
