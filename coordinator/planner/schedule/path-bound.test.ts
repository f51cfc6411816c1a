import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makespanOf } from "./event-simulator.ts";
import { pathBoundMs } from "./path-bound.ts";
import { PathBounds } from "./path-bounds.ts";
import { scheduleIllegal, scheduleTable } from "./schedule-table.ts";
import type { StageCosts } from "./stage-costs.ts";

const SCHEDULES = ["gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipev"] as const;

const sizes = fc.record({
  schedule: fc.constantFrom(...SCHEDULES),
  numRanks: fc.integer({ min: 2, max: 6 }),
  numMicroBatches: fc.integer({ min: 1, max: 40 }),
  chunks: fc.integer({ min: 2, max: 4 }),
  p2pMs: fc.nat(5),
  /** Of layers, which are spread over stages at random. */
  times: fc.array(fc.tuple(fc.nat(30), fc.nat(30), fc.nat(30)), { minLength: 24, maxLength: 60 }),
  seed: fc.array(fc.nat(1000), { minLength: 24, maxLength: 24 }),
});

/** Layers of each stage, at least one: cuts at random places. */
function cut(numLayers: number, numStages: number, seed: readonly number[]): number[] {
  const counts = new Array<number>(numStages).fill(1);
  for (let left = numLayers - numStages; left > 0; left--) {
    const stage = (seed[left % seed.length] ?? 0) % numStages;
    counts[stage] = (counts[stage] as number) + 1;
  }
  return counts;
}

test("no split takes less than the bound, in any schedule, also from a shorter table", () => {
  let numShorter = 0;
  fc.assert(
    fc.property(sizes, ({ schedule, numRanks, numMicroBatches, chunks, p2pMs, times, seed }) => {
      const chunksPerRank = schedule === "interleaved" ? chunks : schedule === "dualpipev" ? 2 : 1;
      const choice = { schedule, numRanks, numMicroBatches, chunksPerRank };
      if (scheduleIllegal(choice) !== undefined) return;
      const numStages = numRanks * chunksPerRank;
      const stages: StageCosts[] = [];
      let from = 0;
      for (const count of cut(times.length, numStages, seed)) {
        const own = times.slice(from, from + count);
        const sum = (index: 0 | 1 | 2) => own.reduce((total, time) => total + time[index], 0);
        const [forwardMs, inputGradMs, weightGradMs] = [sum(0), sum(1), sum(2)];
        stages.push({ forwardMs, inputGradMs, weightGradMs, staticBytes: 0, activationBytes: 0 });
        from += count;
      }
      const column = (index: 0 | 1 | 2) => times.map((time) => time[index]);
      const total = (index: 0 | 1 | 2) => column(index).reduce((a, b) => a + b, 0);
      const path = new PathBounds().of(
        schedule,
        numRanks,
        numMicroBatches,
        chunksPerRank,
        times.length,
      );
      const boundMs = pathBoundMs(path, numMicroBatches, {
        forwardMs: total(0),
        inputGradMs: total(1),
        weightGradMs: total(2),
        leastForwardMs: Math.min(...column(0)),
        leastInputGradMs: Math.min(...column(1)),
        leastWeightGradMs: Math.min(...column(2)),
      });
      const simulatedMs = makespanOf(scheduleTable(choice), stages, { p2pMs });
      if (numMicroBatches > 4 * numRanks) numShorter++;
      assert.ok(boundMs <= simulatedMs * (1 + 1e-9), `${boundMs} > ${simulatedMs}`);
    }),
    { numRuns: 1500, seed: 5 },
  );
  assert.ok(numShorter > 200, `only ${numShorter} bounds came from a shorter table`);
});

test("the bound is most of what equal stages take", () => {
  for (const schedule of SCHEDULES) {
    const numRanks = 8;
    const numMicroBatches = 32;
    const table = scheduleTable({ schedule, numRanks, numMicroBatches });
    const numStages = table.rankOfStage.length;
    const stage = { forwardMs: 1, inputGradMs: 1, weightGradMs: 1 };
    const rest = { staticBytes: 0, activationBytes: 0 };
    const equal = Array.from({ length: numStages }, () => ({ ...stage, ...rest }));
    const path = new PathBounds().of(
      schedule,
      numRanks,
      numMicroBatches,
      table.chunksPerRank,
      numStages,
    );
    const boundMs = pathBoundMs(path, numMicroBatches, {
      forwardMs: numStages,
      inputGradMs: numStages,
      weightGradMs: numStages,
      leastForwardMs: 1,
      leastInputGradMs: 1,
      leastWeightGradMs: 1,
    });
    const share = boundMs / makespanOf(table, equal);
    assert.ok(share > 0.9, `${schedule}: ${share}`);
  }
});
