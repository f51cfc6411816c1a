import fc from "fast-check";
import type { Work } from "../work.ts";
import type { Pipeline } from "./pipeline.ts";

/** Work of unequal forward and backward, neither zero. */
const work: fc.Arbitrary<Work> = fc.record({
  forward: fc.integer({ min: 1, max: 40 }),
  backward: fc.integer({ min: 1, max: 80 }),
});

/** Stages with up to `max` micro-batches, for the simulator. */
export const stagesArbitrary = fc.record({
  stages: fc.array(work, { minLength: 1, maxLength: 6 }),
  numMicroBatches: fc.integer({ min: 1, max: 12 }),
});

/** Pipelines small enough to try every split. */
export const pipelineArbitrary: fc.Arbitrary<Pipeline> = fc
  .record({
    layers: fc.array(work, { minLength: 1, maxLength: 9 }),
    embedding: fc.oneof(work, fc.constant({ forward: 0, backward: 0 })),
    head: work,
    numStages: fc.integer({ min: 1, max: 5 }),
    numMicroBatches: fc.integer({ min: 1, max: 10 }),
  })
  .filter(({ layers, numStages }) => numStages <= layers.length)
  .map(({ numStages, numMicroBatches, ...work }) => ({ work, numStages, numMicroBatches }));

/** Every way to write `total` as `parts` whole numbers of at least 1. */
export function* compositions(total: number, parts: number): Generator<number[]> {
  if (parts === 1) {
    yield [total];
    return;
  }
  for (let first = 1; first <= total - parts + 1; first++) {
    for (const rest of compositions(total - first, parts - 1)) yield [first, ...rest];
  }
}
