import assert from "node:assert/strict";
import { test } from "node:test";
import { denseModel } from "../../measured/memory-models.ts";
import { workloadOf } from "../../measured/memory-row.ts";
import type { Placement } from "../workload.ts";
import { evenLayers, inFlightOf1f1b, runMemory } from "./run-memory.ts";

const SIZES = {
  hiddenSize: 1024,
  ffnHiddenSize: 4096,
  layers: 8,
  heads: 8,
  kvHeads: 8,
  vocabSize: 32000,
};
const PLACEMENT: Placement = {
  tensorParallel: 1,
  contextParallel: 1,
  pipelineParallel: 4,
  dataParallel: 2,
  expertParallel: 1,
  expertTensorParallel: 1,
  expertDataParallel: 2,
  virtualPipeline: 1,
  microBatchSize: 1,
};

test("1F1B keeps as many micro-batches as there are stages from here on, and no more than there are", () => {
  assert.deepEqual(inFlightOf1f1b(4, 8), [4, 3, 2, 1]);
  assert.deepEqual(inFlightOf1f1b(4, 2), [2, 2, 2, 1]);
});

test("layers that do not divide go to the first stages", () => {
  assert.deepEqual(evenLayers(52, 12), [5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4]);
});

test("only the ends hold the tables, and early stages keep more activations", () => {
  const workload = workloadOf(denseModel(SIZES), 2048, 16, "megatron");
  const inFlight = inFlightOf1f1b(4, 8);
  const stages = runMemory(workload, PLACEMENT, {
    layersPerStage: evenLayers(8, 4),
    inFlight,
    recompute: "none",
  });
  const [first, second, third, last] = stages;
  assert.ok(first && second && third && last);
  assert.equal(second.staticBytes, third.staticBytes);
  assert.ok(first.staticBytes > second.staticBytes);
  assert.ok(last.staticBytes > third.staticBytes);
  assert.equal(second.activationBytes * 2, third.activationBytes * 3);
});

test("a stage with both ends of a tied model holds its table once", () => {
  const sizes = { ...PLACEMENT, pipelineParallel: 1, dataParallel: 8 };
  const at = (tiedEmbeddings: boolean) => {
    const workload = workloadOf(denseModel({ ...SIZES, tiedEmbeddings }), 2048, 16, "megatron");
    const stages = { layersPerStage: [8], inFlight: [1], recompute: "none" } as const;
    return runMemory(workload, sizes, stages)[0]?.staticBytes ?? 0;
  };
  const table = SIZES.vocabSize * SIZES.hiddenSize;
  assert.equal(at(false) - at(true), table * (2 + 4 + 12 / 8));
});
