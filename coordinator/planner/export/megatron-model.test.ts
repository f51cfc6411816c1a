import assert from "node:assert/strict";
import test from "node:test";
import type { ModelShape } from "../model/model-shape.ts";
import { megatronModel } from "./megatron-model.ts";

const dense: ModelShape = {
  hiddenSize: 4096,
  vocabSize: 128256,
  tiedEmbeddings: true,
  attention: {
    kind: "gqa",
    heads: 32,
    kvHeads: 8,
    headDim: 128,
    qkvBias: false,
    outBias: false,
    qkNorm: false,
    sinks: false,
  },
  layers: Array(32).fill({ kind: "dense" }),
  dense: { hiddenSize: 14336, gated: true, bias: false },
  normsPerLayer: 2,
  layerNormBias: false,
  positions: 0,
  mtpLayers: 0,
};

test("a dense model with grouped queries and tied embeddings has no flags of experts", () => {
  assert.deepEqual(megatronModel(dense, 8192).flags, [
    "--num-layers 32",
    "--hidden-size 4096",
    "--num-attention-heads 32",
    "--group-query-attention",
    "--num-query-groups 8",
    "--ffn-hidden-size 14336",
    "--swiglu",
    "--vocab-size 128256",
  ]);
});

test("what the layout does not depend on is named in a remark", () => {
  const odd: ModelShape = {
    ...dense,
    attention: {
      kind: "gqa",
      heads: 64,
      kvHeads: 8,
      headDim: 64,
      qkvBias: true,
      outBias: true,
      qkNorm: true,
      sinks: true,
    },
    layers: dense.layers.map((layer, i) => (i % 2 === 0 ? { ...layer, window: 128 } : layer)),
    normsPerLayer: 4,
  };
  const { flags, notes } = megatronModel(odd, 8192);
  assert.ok(flags.includes("--qk-layernorm"));
  assert.deepEqual(notes, [
    "of the model, to be set as well: normalization RMSNorm, position-embedding-type rope, max-position-embeddings 8192, kv-channels 64, add-qkv-bias, softmax-type learnable, sliding windows of 128 tokens",
    "the model has 4 norms a layer; Megatron-Core's layer has 2",
  ]);
});

test("only layers with experts make the width of experts the FFN's", () => {
  const { dense: _, ...rest } = dense;
  const sparse: ModelShape = {
    ...rest,
    layers: Array(4).fill({ kind: "moe" }),
    moe: {
      experts: 8,
      topK: 2,
      ffn: { hiddenSize: 1024, gated: true, bias: false },
      sharedFfnHiddenSize: 512,
      sharedGate: true,
      routerBias: false,
    },
  };
  const { flags } = megatronModel(sparse, 4096);
  for (const flag of [
    "--ffn-hidden-size 1024",
    "--moe-ffn-hidden-size 1024",
    "--moe-shared-expert-intermediate-size 512",
    "--moe-shared-expert-gate",
  ]) {
    assert.ok(flags.includes(flag), flag);
  }
  assert.equal(
    flags.some((flag) => flag.startsWith("--moe-layer-freq")),
    false,
  );
});
