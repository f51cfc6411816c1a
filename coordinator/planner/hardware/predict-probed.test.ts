import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MoestroError } from "../../errors.ts";
import { cachedTable } from "../schedule/cached-table.ts";
import { makespanOf } from "../schedule/event-simulator.ts";
import { scheduleIllegal } from "../schedule/schedule-table.ts";
import type { Measured } from "./measured.ts";
import { type ProbedLayout, probedStepMs } from "./predict-probed.ts";
import { sharedPipelineMs } from "./shared-pipeline.ts";

const place = { tensorParallel: 1, microBatchSize: 1, sequenceLength: 8 };

/** Ranks on two cores: four at work take twice as long. */
function twoCores(): Measured {
  const layers = [1, 2, 4].flatMap((busyRanks) => {
    const slower = busyRanks > 2 ? 2 : 1;
    const none = { ...place, busyRanks, forwardMs: 0, backwardMs: 0, recomputeFullMs: 0 };
    return [
      {
        ...none,
        kind: "moe" as const,
        forwardMs: 2 * slower,
        backwardMs: 4 * slower,
        recomputeFullMs: 2 * slower,
      },
      { ...none, kind: "chunk" as const },
      { ...none, kind: "embedding" as const },
      { ...none, kind: "head" as const },
    ];
  });
  const tail = { tailMs: 1, tailMsPerLayer: 0, skewMs: 0, skewMsPerLayer: 0 };
  return {
    modelFingerprint: "x",
    ranks: 4,
    layers,
    steps: [1, 2, 4].map((dataParallel) => ({ ...place, busyRanks: 4, dataParallel, ...tail })),
    hops: [],
    optimizerMsPerMillionParameters: 0,
    stepOverheadMs: 1,
    allReduceMs: [],
    messageMs: [],
    activationBytesPerSequence: 1,
  };
}

function layout(layersPerStage: number[], changes: Partial<ProbedLayout> = {}): ProbedLayout {
  return {
    layersPerStage,
    schedule: "1f1b",
    recomputePerLayer: layersPerStage.flatMap((count) => Array(count).fill(0)),
    tensorParallel: 1,
    pipelineParallel: layersPerStage.length,
    dataParallel: 1,
    microBatchSize: 1,
    numMicroBatches: 4,
    ...changes,
  };
}

test("one stage takes its micro-batches one after the other, and the step's tail", () => {
  assert.equal(probedStepMs(twoCores(), layout([2])), 4 * 2 * 6 + 1);
});

test("two stages on two cores overlap as on machines of their own", () => {
  // 1F1B of equal stages: (m + p - 1) (f + b).
  assert.equal(probedStepMs(twoCores(), layout([1, 1])), (4 + 1) * 6 + 1);
});

test("four stages on two cores take at least the work over the cores, and less than four always slowed", () => {
  const step = probedStepMs(twoCores(), layout([1, 1, 1, 1])) - 1;
  const work = 4 * 4 * 6;
  assert.ok(step >= work / 2 && step < (4 + 3) * 12, `${step} ms`);
});

test("recompute lengthens backward by what was measured", () => {
  const plain = probedStepMs(twoCores(), layout([2]));
  const again = probedStepMs(twoCores(), layout([2], { recomputePerLayer: [1, 0] }));
  assert.equal(again - plain, 4 * 2);
});

test("a layout that was not measured is refused", () => {
  assert.throws(() => probedStepMs(twoCores(), layout([2], { microBatchSize: 3 })), MoestroError);
  assert.throws(() => probedStepMs(twoCores(), layout([2], { tensorParallel: 2 })), MoestroError);
});

test("with a core for every stage, shared 1F1B has the makespan of its longest path", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), {
        minLength: 1,
        maxLength: 5,
      }),
      fc.integer({ min: 1, max: 8 }),
      (times, numMicroBatches) => {
        const stages = times.map(([f, b]) => ({
          forwardMs: () => f,
          backwardMs: () => b,
          weightGradMs: () => b / 2,
        }));
        const makespan = sharedPipelineMs({
          stages,
          table: cachedTable({ schedule: "1f1b", numRanks: times.length, numMicroBatches }),
          messageMs: 0,
          busyRanks: (count) => count,
        });
        const round = times.reduce((total, [f, b]) => total + f + b, 0);
        const busiest = Math.max(...times.map(([f, b]) => numMicroBatches * (f + b)));
        assert.ok(makespan >= Math.max(round, busiest) - 1e-9);
        assert.ok(makespan <= round * numMicroBatches + 1e-9);
      },
    ),
  );
});

test("with a core for every rank, all schedules take what the schedule simulator says", () => {
  const time = fc.integer({ min: 1, max: 9 });
  const kinds = ["gpipe", "1f1b", "interleaved", "zero-bubble"] as const;
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.tuple(time, time, time), { minLength: 8, maxLength: 8 }),
      fc.integer({ min: 0, max: 3 }),
      (schedule, numRanks, numMicroBatches, times, messageMs) => {
        const chunksPerRank = schedule === "interleaved" ? 2 : 1;
        const choice = { schedule, numRanks, numMicroBatches, chunksPerRank };
        fc.pre(scheduleIllegal(choice) === undefined);
        const table = cachedTable(choice);
        const own = times.slice(0, numRanks * chunksPerRank);
        const shared = sharedPipelineMs({
          table,
          stages: own.map(([f, i, w]) => ({
            forwardMs: () => f,
            backwardMs: () => i + w,
            weightGradMs: () => w,
          })),
          messageMs,
          busyRanks: (count) => count,
        });
        const costs = own.map(([forwardMs, inputGradMs, weightGradMs]) => ({
          ...{ forwardMs, inputGradMs, weightGradMs, activationBytes: 0, staticBytes: 0 },
        }));
        const simulated = makespanOf(table, costs, { p2pMs: messageMs });
        assert.ok(Math.abs(shared - simulated) < 1e-6, `${shared} against ${simulated}`);
      },
    ),
  );
});
