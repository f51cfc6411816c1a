import fc from "fast-check";
import type { PartitionLayer, PartitionProblem } from "./problem.ts";

/** Work of unequal forward and backward, neither zero. */
const work = fc.record({
  forward: fc.integer({ min: 1, max: 40 }),
  backward: fc.integer({ min: 1, max: 80 }),
});

/** Stages with up to `max` micro-batches, for the simulator. */
export const stagesArbitrary = fc.record({
  stages: fc.array(work, { minLength: 1, maxLength: 6 }),
  numMicroBatches: fc.integer({ min: 1, max: 12 }),
});

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

const option = fc.record({
  extraBackwardMs: fc.integer({ min: 0, max: 20 }),
  activationBytes: fc.integer({ min: 0, max: 30 }),
  workspaceBytes: fc.integer({ min: 0, max: 15 }),
});

const layer: fc.Arbitrary<PartitionLayer> = fc
  .record({
    forwardMs: fc.integer({ min: 1, max: 40 }),
    backwardMs: fc.integer({ min: 1, max: 80 }),
    staticBytes: fc.integer({ min: 0, max: 30 }),
    options: fc.array(option, { minLength: 1, maxLength: 3 }),
  })
  .map(({ options, ...rest }) => ({
    ...rest,
    name: "layer",
    options: options.map((each, index) => ({ ...each, name: `option ${index}` })),
  }));

/** Problems small enough to try every split and option; memory loose, tight, or too little. */
export function problemArbitrary({
  maxLayers = 8,
  maxStages = 4,
  maxMicroBatches = 8,
} = {}): fc.Arbitrary<PartitionProblem> {
  const memory = fc.integer({ min: 20, max: 400 });
  return fc
    .record({
      stages: fc.integer({ min: 1, max: maxStages }),
      microBatches: fc.integer({ min: 1, max: maxMicroBatches }),
      p2pMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 10 })),
      memoryBytes: fc.oneof(
        memory,
        fc.array(memory, { minLength: maxStages, maxLength: maxStages }),
      ),
      layers: fc.array(layer, { minLength: 1, maxLength: maxLayers }),
    })
    .map(({ stages, memoryBytes, ...rest }) => {
      const count = Math.min(stages, rest.layers.length);
      return {
        ...rest,
        stages: count,
        memoryBytes: typeof memoryBytes === "number" ? memoryBytes : memoryBytes.slice(0, count),
      };
    });
}

/**
 * Problems of few kinds of layers with latency, where many splits tie and what
 * stages lie side by side decides; micro-batches from fewer than stages on.
 */
export const tiedProblemArbitrary: fc.Arbitrary<PartitionProblem> = fc
  .record({
    stages: fc.integer({ min: 2, max: 6 }),
    microBatches: fc.integer({ min: 1, max: 14 }),
    p2pMs: fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 6, noNaN: true })),
    memoryBytes: fc.oneof(fc.constant(1e6), fc.integer({ min: 30, max: 200 })),
    kinds: fc.array(layer, { minLength: 1, maxLength: 2 }),
    numLayers: fc.integer({ min: 2, max: 11 }),
    headMs: fc.integer({ min: 0, max: 40 }),
  })
  .map(({ kinds, numLayers, headMs, stages, ...rest }) => {
    const layers = Array.from({ length: numLayers }, (_, index) => {
      const kind = kinds[index < numLayers / 4 ? kinds.length - 1 : 0] as PartitionLayer;
      return index === numLayers - 1 ? { ...kind, forwardMs: kind.forwardMs + headMs } : kind;
    });
    return { ...rest, layers, stages: Math.min(stages, numLayers) };
  });
