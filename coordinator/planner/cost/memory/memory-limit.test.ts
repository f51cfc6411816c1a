import assert from "node:assert/strict";
import { test } from "node:test";
import { denseModel } from "../../measured/memory-models.ts";
import { workloadOf } from "../../measured/memory-row.ts";
import type { Placement } from "../workload.ts";
import { memoryLimitBytes, reservedBytes } from "./memory-limit.ts";

const WORKLOAD = workloadOf(
  denseModel({
    hiddenSize: 64,
    ffnHiddenSize: 128,
    layers: 2,
    heads: 4,
    kvHeads: 4,
    vocabSize: 256,
  }),
  128,
  8,
  "megatron",
);
const EVERY_GROUP: Placement = {
  tensorParallel: 2,
  contextParallel: 1,
  pipelineParallel: 2,
  dataParallel: 2,
  expertParallel: 2,
  expertTensorParallel: 1,
  expertDataParallel: 2,
  virtualPipeline: 1,
  microBatchSize: 1,
};

test("what is allocated up to the limit fills the GPU when a rank is in every kind of group", () => {
  const { cluster } = WORKLOAD;
  const used = reservedBytes(WORKLOAD, EVERY_GROUP, memoryLimitBytes(cluster));
  assert.ok(Math.abs(used - cluster.accelerator.memoryBytes) < 1);
});

test("what is kept free lowers the limit, down to nothing", () => {
  const { cluster } = WORKLOAD;
  assert.ok(memoryLimitBytes(cluster, 1e9) < memoryLimitBytes(cluster));
  assert.equal(memoryLimitBytes(cluster, 1e15), 0);
});

test("a rank with a little memory keeps most of it", () => {
  const { cluster } = WORKLOAD;
  const small = { ...cluster, accelerator: { ...cluster.accelerator, memoryBytes: 1e9 } };
  assert.ok(memoryLimitBytes(small) > 0.9e9);
});
