import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Precision } from "../../hardware/cluster.ts";
import { denseModel, reducedMixtral, SIMUMAX_MODELS } from "../../measured/memory-models.ts";
import { workloadOf } from "../../measured/memory-row.ts";
import { type PartKind, type Placement, RECOMPUTE_KINDS, type Workload } from "../workload.ts";
import { partMemory } from "./part-memory.ts";

const DENSE = denseModel({
  hiddenSize: 4096,
  ffnHiddenSize: 14336,
  layers: 32,
  heads: 32,
  kvHeads: 8,
  vocabSize: 128256,
});
const DEEPSEEK = SIMUMAX_MODELS.deepseekv3?.(4) ?? DENSE;
const MODELS = [DENSE, reducedMixtral(4), DEEPSEEK];
const KINDS: PartKind[] = ["embedding", "dense", "moe", "mtp", "head"];

function placement(sizes: Partial<Placement>): Placement {
  return {
    tensorParallel: 1,
    contextParallel: 1,
    pipelineParallel: 1,
    dataParallel: 8,
    expertParallel: 1,
    expertTensorParallel: 1,
    expertDataParallel: 8,
    virtualPipeline: 1,
    microBatchSize: 1,
    ...sizes,
  };
}

/** A part of some model that has it, with any settings. */
const parts = fc
  .record({
    model: fc.constantFrom(...MODELS),
    kind: fc.constantFrom(...KINDS),
    stack: fc.constantFrom<Workload["stack"]>("moestro", "megatron", "nanotron", "vtrain"),
    precision: fc.constantFrom<Precision>("fp32", "bf16", "fp8"),
    optimizerSharding: fc.constantFrom<Workload["optimizerSharding"]>("none", "zero1", "fsdp"),
    capacityFactor: fc.constantFrom<number | "dropless">("dropless", 1, 2.5),
    imbalance: fc.double({ min: 1, max: 4, noNaN: true }),
  })
  .filter(({ model, kind }) => kind !== "moe" || model.moe !== undefined)
  .filter(({ model, kind }) => kind !== "dense" || model.dense !== undefined)
  .map(({ model, kind, stack, ...settings }) => {
    const workload: Workload = { ...workloadOf(model, 4096, 64, stack), ...settings };
    return { kind, workload };
  });

/** All memory numbers of a part. */
function numbers(workload: Workload, sizes: Partial<Placement>, kind: PartKind): number[] {
  const memory = partMemory(workload, placement(sizes), kind);
  return [
    memory.staticBytes,
    ...RECOMPUTE_KINDS.map((recompute) => memory.activationBytes[recompute]),
    ...RECOMPUTE_KINDS.map((recompute) => memory.workspaceBytes[recompute]),
  ];
}

function assertNowhereMore(less: readonly number[], more: readonly number[]): void {
  for (const [i, bytes] of less.entries()) {
    assert.ok(bytes <= (more[i] ?? 0) * (1 + 1e-12), `${bytes} > ${more[i]} at ${i}`);
  }
}

test("every number of bytes is finite and not negative", () => {
  fc.assert(
    fc.property(parts, ({ workload, kind }) => {
      for (const bytes of numbers(workload, { tensorParallel: 2 }, kind)) {
        assert.ok(Number.isFinite(bytes) && bytes >= 0);
      }
    }),
  );
});

test("a larger micro-batch never takes less memory", () => {
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 32 }), ({ workload, kind }, microBatchSize) => {
      assertNowhereMore(
        numbers(workload, { microBatchSize }, kind),
        numbers(workload, { microBatchSize: microBatchSize + 1 }, kind),
      );
    }),
  );
});

test("splitting tensors further never takes more static and kept memory", () => {
  fc.assert(
    fc.property(parts, fc.constantFrom(1, 2, 4), ({ workload, kind }, tensorParallel) => {
      const at = (size: number) =>
        numbers(workload, { tensorParallel: size, expertTensorParallel: size }, kind).slice(0, 4);
      assertNowhereMore(at(tensorParallel * 2), at(tensorParallel));
    }),
  );
});

test("cutting the sequence over more ranks never takes more memory", () => {
  fc.assert(
    fc.property(parts, fc.constantFrom(1, 2, 4), ({ workload, kind }, contextParallel) => {
      const at = (size: number) => numbers(workload, { contextParallel: size }, kind);
      assertNowhereMore(at(contextParallel * 2), at(contextParallel));
    }),
  );
});

test("spreading experts over more ranks never takes more static memory", () => {
  fc.assert(
    fc.property(parts, fc.constantFrom(1, 2, 4), ({ workload, kind }, expertParallel) => {
      const at = (size: number) =>
        numbers(workload, { expertParallel: size, expertDataParallel: 8 / size }, kind)[0] ?? 0;
      assert.ok(at(expertParallel * 2) <= at(expertParallel) * (1 + 1e-12));
    }),
  );
});

test("sharding the optimizer, then all of the state, never takes more static memory", () => {
  fc.assert(
    fc.property(parts, ({ workload, kind }) => {
      const at = (optimizerSharding: Workload["optimizerSharding"]) =>
        numbers({ ...workload, optimizerSharding }, {}, kind)[0] ?? 0;
      assert.ok(at("fsdp") <= at("zero1"));
      assert.ok(at("zero1") <= at("none"));
    }),
  );
});

test("recompute keeps less and needs at least as much workspace", () => {
  fc.assert(
    fc.property(parts, ({ workload, kind }) => {
      const { activationBytes, workspaceBytes } = partMemory(workload, placement({}), kind);
      assert.ok(activationBytes.full <= activationBytes.selective);
      assert.ok(activationBytes.selective <= activationBytes.none);
      assert.ok(workspaceBytes.full >= workspaceBytes.selective);
      assert.ok(workspaceBytes.selective >= workspaceBytes.none);
    }),
  );
});

test("a dense layer keeps 8h of norms, its heads and 6f a token, as by hand", () => {
  const workload = workloadOf(DENSE, 4096, 8, "megatron");
  const { activationBytes } = partMemory(workload, placement({}), "dense");
  const [hidden, heads, keyValueHeads, ffn] = [4096, 4096, 1024, 14336];
  const attention = 2 * (hidden + 2 * keyValueHeads) + 2 * heads + 4 * 32;
  assert.equal(activationBytes.none, 4096 * (8 * hidden + attention + 6 * ffn));
  assert.equal(activationBytes.full, 4096 * 2 * hidden);
});
