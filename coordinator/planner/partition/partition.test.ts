import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { stageBound } from "./bound.ts";
import { partition, splitMakespan } from "./partition.ts";
import { evenSplit, IntervalWork, type Pipeline } from "./pipeline.ts";
import { BoundTable } from "./splits-by-bound.ts";
import { compositions, pipelineArbitrary } from "./testing.ts";

const equalLayers = (numLayers: number, head: number) => ({
  layers: Array.from({ length: numLayers }, () => ({ forward: 1, backward: 2 })),
  embedding: { forward: 0, backward: 0 },
  head: { forward: head, backward: 2 * head },
});

function boundOf(pipeline: Pipeline, layersPerStage: readonly number[]): number {
  const intervals = new IntervalWork(pipeline.work);
  let from = 0;
  const terms = layersPerStage.map((count, stage) => {
    const to = from + count;
    const term = stageBound(intervals, pipeline, stage, from, to);
    from = to;
    return term;
  });
  return Math.max(intervals.total(0, intervals.numLayers), ...terms);
}

const splitsOf = ({ work, numStages }: Pipeline) => [
  ...compositions(work.layers.length, numStages),
];

describe("the bound", () => {
  it("is never above the simulated time of any split", () => {
    fc.assert(
      fc.property(pipelineArbitrary, (pipeline) => {
        for (const split of splitsOf(pipeline)) {
          const simulated = splitMakespan(pipeline, split);
          assert.ok(boundOf(pipeline, split) <= simulated * (1 + 1e-9), `${split}`);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("orders every split once, and its minimum equals brute force", () => {
    fc.assert(
      fc.property(pipelineArbitrary, (pipeline) => {
        const table = new BoundTable(pipeline);
        const walked = [...table.splits()];
        assert.equal(walked.length, splitsOf(pipeline).length);
        for (const [index, { layersPerStage, bound }] of walked.entries()) {
          assert.equal(bound, boundOf(pipeline, layersPerStage));
          assert.ok(bound >= (walked[index - 1]?.bound ?? 0));
        }
        assert.equal(table.least, walked[0]?.bound);
      }),
      { numRuns: 200 },
    );
  });
});

describe("partition", () => {
  it("is as fast as the fastest of all splits, simulated", () => {
    fc.assert(
      fc.property(pipelineArbitrary, (pipeline) => {
        const best = partition(pipeline);
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
        const hurried = partition(pipeline, 1);
        const fastest = Math.min(...splitsOf(pipeline).map((s) => splitMakespan(pipeline, s)));
        assert.ok(hurried.bound <= fastest * (1 + 1e-9));
        assert.ok(hurried.makespan * (1 - hurried.gap) <= fastest * (1 + 1e-9));
      }),
      { numRuns: 300 },
    );
  });

  it("cuts the report's 24 layers on 5 stages as [5,5,5,5,4]", () => {
    const pipeline = { work: equalLayers(24, 0.5), numStages: 5, numMicroBatches: 64 };
    assert.deepEqual(partition(pipeline).layersPerStage, [5, 5, 5, 5, 4]);
  });

  it("takes layers off the stage whose head is heavy", () => {
    const pipeline = { work: equalLayers(24, 3), numStages: 4, numMicroBatches: 16 };
    const best = partition(pipeline);
    assert.deepEqual(best.layersPerStage, [7, 7, 7, 3]);
    assert.ok(best.makespan < 0.9 * splitMakespan(pipeline, evenSplit(24, 4)));
  });

  it("prefers the most even of equally fast splits", () => {
    const pipeline = { work: equalLayers(52, 0.45), numStages: 12, numMicroBatches: 128 };
    assert.deepEqual(partition(pipeline).layersPerStage, [5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4]);
  });

  it("certifies 126 layers on 16 stages well within a second", () => {
    const pipeline = { work: equalLayers(126, 0.8), numStages: 16, numMicroBatches: 128 };
    const start = performance.now();
    assert.equal(partition(pipeline).gap, 0);
    assert.ok(performance.now() - start < 1000);
  });
});
