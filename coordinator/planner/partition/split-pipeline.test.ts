import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { evenSplit, type Pipeline } from "./pipeline.ts";
import { leastMakespan, splitMakespan, splitPipeline } from "./split-pipeline.ts";
import { compositions, pipelineArbitrary } from "./testing.ts";

const equalLayers = (numLayers: number, head: number) => ({
  layers: Array.from({ length: numLayers }, () => ({ forward: 1, backward: 2 })),
  embedding: { forward: 0, backward: 0 },
  head: { forward: head, backward: 2 * head },
});

const splitsOf = ({ work, numStages }: Pipeline) => [
  ...compositions(work.layers.length, numStages),
];

describe("splitPipeline", () => {
  it("is as fast as the fastest of all splits, simulated", () => {
    fc.assert(
      fc.property(pipelineArbitrary, (pipeline) => {
        const best = splitPipeline(pipeline);
        const fastest = Math.min(...splitsOf(pipeline).map((s) => splitMakespan(pipeline, s)));
        assert.ok(Math.abs(best.makespan - fastest) <= 1e-9 * fastest);
        assert.ok(best.gap >= 0 && best.gap <= 1e-9);
        assert.equal(best.makespan, splitMakespan(pipeline, best.layersPerStage));
      }),
      { numRuns: 500 },
    );
  });

  it("never claims more than it has proven when it must stop early", () => {
    fc.assert(
      fc.property(pipelineArbitrary, (pipeline) => {
        const hurried = splitPipeline(pipeline, { maxSimulations: 1 });
        const fastest = Math.min(...splitsOf(pipeline).map((s) => splitMakespan(pipeline, s)));
        assert.ok(hurried.bound <= fastest * (1 + 1e-9));
        assert.ok(hurried.makespan * (1 - hurried.gap) <= fastest * (1 + 1e-9));
      }),
      { numRuns: 300 },
    );
  });

  it("cuts the report's 24 layers on 5 stages as [5,5,5,5,4]", () => {
    const pipeline = { work: equalLayers(24, 0.5), numStages: 5, numMicroBatches: 64 };
    assert.deepEqual(splitPipeline(pipeline).layersPerStage, [5, 5, 5, 5, 4]);
  });

  it("takes layers off the stage whose head is heavy", () => {
    const pipeline = { work: equalLayers(24, 3), numStages: 4, numMicroBatches: 16 };
    const best = splitPipeline(pipeline);
    assert.deepEqual(best.layersPerStage, [7, 7, 7, 3]);
    assert.ok(best.makespan < 0.9 * splitMakespan(pipeline, evenSplit(24, 4)));
  });

  it("prefers the most even of equally fast splits", () => {
    const pipeline = { work: equalLayers(52, 0.45), numStages: 12, numMicroBatches: 128 };
    assert.deepEqual(splitPipeline(pipeline).layersPerStage, [5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4]);
  });

  it("certifies 126 layers on 16 stages", () => {
    const pipeline = { work: equalLayers(126, 0.8), numStages: 16, numMicroBatches: 128 };
    assert.equal(splitPipeline(pipeline).gap, 0);
  });

  it("never finds less than the least makespan", () => {
    fc.assert(
      fc.property(pipelineArbitrary, (pipeline) => {
        const { makespan } = splitPipeline(pipeline);
        assert.ok(makespan >= leastMakespan(pipeline) * (1 - 1e-9));
      }),
    );
  });
});
