import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MoestroError } from "../../errors.ts";
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
    recomputePerLayer: layersPerStage.flatMap((count) => Array(count).fill(false)),
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
  const again = probedStepMs(twoCores(), layout([2], { recomputePerLayer: [true, false] }));
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
        const stages = times.map(([f, b]) => ({ forwardMs: () => f, backwardMs: () => b }));
        const makespan = sharedPipelineMs({
          stages,
          numMicroBatches,
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
