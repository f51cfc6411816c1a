import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { shapeOfJob } from "../planner/model/shape-of-job.ts";
import { MODEL_SHAPES, type ModelName } from "../planner/model/shapes.ts";
import { importHuggingFaceConfig } from "./hugging-face.ts";

const qwenMoe = (fields: object) => ({
  hidden_act: "silu",
  decoder_sparse_step: 1,
  mlp_only_layers: [],
  norm_topk_prob: true,
  rope_theta: 1_000_000,
  sliding_window: 32_768,
  use_sliding_window: false,
  tie_word_embeddings: false,
  vocab_size: 151_936,
  num_key_value_heads: 4,
  num_experts_per_tok: 8,
  ...fields,
});

const deepseek = (fields: object) => ({
  attention_bias: false,
  hidden_act: "silu",
  kv_lora_rank: 512,
  moe_layer_freq: 1,
  q_lora_rank: 1536,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  rope_scaling: { type: "yarn", factor: 40 },
  rope_theta: 10_000,
  tie_word_embeddings: false,
  ...fields,
});

const decoder = (
  type: string,
  [layers, hidden, ffn, vocab]: readonly number[],
  [heads, kvHeads]: readonly number[],
  fields: object = {},
) => ({
  model_type: type,
  hidden_act: "silu",
  hidden_size: hidden,
  intermediate_size: ffn,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: kvHeads,
  vocab_size: vocab,
  ...fields,
});

/** The fields of the published files that concern shapes, and some that do not. */
const PUBLISHED: Partial<Record<ModelName, object>> = {
  "mixtral-8x22b": decoder("mixtral", [56, 6144, 16_384, 32_768], [48, 8], {
    num_local_experts: 8,
    num_experts_per_tok: 2,
    router_aux_loss_coef: 0.001,
  }),
  "qwen2-57b-a14b": qwenMoe({
    model_type: "qwen2_moe",
    hidden_size: 3584,
    intermediate_size: 18_944,
    moe_intermediate_size: 2560,
    shared_expert_intermediate_size: 20_480,
    num_attention_heads: 28,
    num_hidden_layers: 28,
    num_experts: 64,
  }),
  "qwen3-30b-a3b": qwenMoe({
    model_type: "qwen3_moe",
    attention_bias: false,
    head_dim: 128,
    hidden_size: 2048,
    intermediate_size: 6144,
    moe_intermediate_size: 768,
    num_attention_heads: 32,
    num_hidden_layers: 48,
    num_experts: 128,
  }),
  "qwen3-235b-a22b": qwenMoe({
    model_type: "qwen3_moe",
    attention_bias: false,
    head_dim: 128,
    hidden_size: 4096,
    intermediate_size: 12_288,
    moe_intermediate_size: 1536,
    num_attention_heads: 64,
    num_hidden_layers: 94,
    num_experts: 128,
  }),
  "deepseek-moe-16b": {
    model_type: "deepseek",
    first_k_dense_replace: 1,
    hidden_act: "silu",
    hidden_size: 2048,
    intermediate_size: 10_944,
    moe_intermediate_size: 1408,
    n_routed_experts: 64,
    n_shared_experts: 2,
    num_attention_heads: 16,
    num_experts_per_tok: 6,
    num_hidden_layers: 28,
    num_key_value_heads: 16,
    vocab_size: 102_400,
  },
  "deepseek-v2-lite": deepseek({
    model_type: "deepseek_v2",
    first_k_dense_replace: 1,
    hidden_size: 2048,
    intermediate_size: 10_944,
    moe_intermediate_size: 1408,
    n_routed_experts: 64,
    n_shared_experts: 2,
    num_attention_heads: 16,
    num_experts_per_tok: 6,
    num_hidden_layers: 27,
    q_lora_rank: null,
    vocab_size: 102_400,
  }),
  "deepseek-v2": deepseek({
    model_type: "deepseek_v2",
    first_k_dense_replace: 1,
    hidden_size: 5120,
    intermediate_size: 12_288,
    moe_intermediate_size: 1536,
    n_routed_experts: 160,
    n_shared_experts: 2,
    num_attention_heads: 128,
    num_experts_per_tok: 6,
    num_hidden_layers: 60,
    topk_method: "group_limited_greedy",
    vocab_size: 102_400,
  }),
  "deepseek-v3": deepseek({
    model_type: "deepseek_v3",
    first_k_dense_replace: 3,
    hidden_size: 7168,
    intermediate_size: 18_432,
    moe_intermediate_size: 2048,
    n_routed_experts: 256,
    n_shared_experts: 1,
    num_attention_heads: 128,
    num_experts_per_tok: 8,
    num_hidden_layers: 61,
    num_nextn_predict_layers: 1,
    topk_method: "noaux_tc",
    vocab_size: 129_280,
  }),
  "grok-1": decoder("grok-1", [64, 6144, 32_768, 131_072], [48, 8], {
    hidden_act: "gelu",
    num_experts: 8,
    num_experts_per_tok: 2,
  }),
  dbrx: {
    model_type: "dbrx",
    d_model: 6144,
    n_heads: 48,
    n_layers: 40,
    vocab_size: 100_352,
    attn_config: { kv_n_heads: 8, clip_qkv: 8, rope_theta: 500_000 },
    ffn_config: {
      ffn_act_fn: { name: "silu" },
      ffn_hidden_size: 10_752,
      moe_num_experts: 16,
      moe_top_k: 4,
    },
    tie_word_embeddings: false,
  },
  "gpt-oss-120b": decoder("gpt_oss", [36, 2880, 2880, 201_088], [64, 8], {
    attention_bias: true,
    experts_per_token: 4,
    head_dim: 64,
    layer_types: Array.from({ length: 36 }, (_, index) =>
      index % 2 === 0 ? "sliding_attention" : "full_attention",
    ),
    num_experts_per_tok: 4,
    num_local_experts: 128,
    rope_scaling: { rope_type: "yarn", factor: 32 },
    sliding_window: 128,
    swiglu_limit: 7,
  }),
  "llama2-70b": decoder("llama", [80, 8192, 28_672, 32_000], [64, 8]),
  "llama3-405b": decoder("llama", [126, 16_384, 53_248, 128_256], [128, 8], {
    attention_bias: false,
    mlp_bias: false,
    rope_scaling: { rope_type: "llama3", factor: 8 },
  }),
  "mistral-7b": decoder("mistral", [32, 4096, 14_336, 32_000], [32, 8], { sliding_window: null }),
  "qwen3-32b": decoder("qwen3", [64, 5120, 25_600, 151_936], [64, 8], {
    head_dim: 128,
    sliding_window: null,
    use_sliding_window: false,
  }),
  "skywork-13b": {
    ...decoder("skywork", [52, 4608, 12_288, 65_519], [36, 36]),
    num_key_value_heads: null,
  },
};

describe("a published config.json", () => {
  for (const [name, config] of Object.entries(PUBLISHED)) {
    it(`of ${name} has the preset's shape`, () =>
      assert.deepEqual(
        shapeOfJob(importHuggingFaceConfig(config)),
        MODEL_SHAPES[name as ModelName],
      ));
  }

  it("of GPT-OSS alternates windows where the file leaves that to the code", () => {
    const config = { ...PUBLISHED["gpt-oss-120b"], layer_types: undefined };
    assert.deepEqual(shapeOfJob(importHuggingFaceConfig(config)), MODEL_SHAPES["gpt-oss-120b"]);
  });

  it("of Mistral 7B v0.1 has a window in every layer", () => {
    const config = { ...PUBLISHED["mistral-7b"], sliding_window: 4096 };
    const { layers } = shapeOfJob(importHuggingFaceConfig(config));
    assert.ok(layers.every(({ window }) => window === 4096));
  });

  it("with dense layers in between keeps their places", () => {
    const config = { ...PUBLISHED["qwen3-30b-a3b"], decoder_sparse_step: 2, mlp_only_layers: [1] };
    const { layers } = shapeOfJob(importHuggingFaceConfig(config));
    assert.deepEqual(
      layers.slice(0, 6).map(({ kind }) => kind),
      ["dense", "dense", "dense", "moe", "dense", "moe"],
    );
  });

  it("of Qwen3-MoE may name its experts as Transformers 5 does", () => {
    const { num_experts, ...rest } = PUBLISHED["qwen3-30b-a3b"] as Record<string, unknown>;
    const config = { ...rest, num_local_experts: num_experts };
    assert.deepEqual(shapeOfJob(importHuggingFaceConfig(config)), MODEL_SHAPES["qwen3-30b-a3b"]);
  });

  it("may spell out that every layer sees everything, or that none is special", () => {
    const layer_types = Array.from({ length: 48 }, () => "full_attention");
    const idle = { layer_types, moe_layer_freq: 1, num_nextn_predict_layers: 0, mlp_bias: false };
    const config = { ...PUBLISHED["qwen3-30b-a3b"], ...idle };
    assert.deepEqual(shapeOfJob(importHuggingFaceConfig(config)), MODEL_SHAPES["qwen3-30b-a3b"]);
  });

  const refused: Record<string, [object | undefined, object, RegExp]> = {
    "a window from some layer on": [
      PUBLISHED["qwen3-30b-a3b"],
      { use_sliding_window: true },
      /^use_sliding_window: true/,
    ],
    "windows at odd places": [
      PUBLISHED["gpt-oss-120b"],
      {
        layer_types: Array.from({ length: 36 }, (_, i) =>
          i < 9 ? "sliding_attention" : "full_attention",
        ),
      },
      /^layer_types: must be/,
    ],
    "prediction layers of another family": [
      PUBLISHED["qwen3-30b-a3b"],
      { num_nextn_predict_layers: 2 },
      /^num_nextn_predict_layers: 2 is not known to size anything of qwen3_moe;/,
    ],
    "a shared expert of another family": [
      PUBLISHED["qwen3-30b-a3b"],
      { shared_expert_intermediate_size: 512 },
      /^shared_expert_intermediate_size: 512 is not known .* of qwen3_moe;/,
    ],
    "experts in a dense family": [
      PUBLISHED["llama2-70b"],
      { num_local_experts: 8 },
      /^num_local_experts: 8 is not known to size anything of llama;/,
    ],
    "a switch of another family": [
      PUBLISHED["grok-1"],
      { attention_bias: true },
      /^attention_bias: true is not known .* of grok-1;/,
    ],
    "layers without attention": [
      PUBLISHED["qwen3-30b-a3b"],
      { layer_types: ["full_attention", "linear_attention"] },
      /^layer_types\[1\]: "linear_attention" is not supported, only full_attention and/,
    ],
    "windows without their size": [
      PUBLISHED["qwen3-30b-a3b"],
      { layer_types: ["sliding_attention"] },
      /^layer_types\[0\]: "sliding_attention" has no window here/,
    ],
    "layers of two kinds of FFN": [
      PUBLISHED["deepseek-v3"],
      { mlp_layer_types: ["dense", "sparse"] },
      /^mlp_layer_types: .* is not known to size anything of deepseek_v3;/,
    ],
    "latent attention without its rank": [
      PUBLISHED["deepseek-v3"],
      { kv_lora_rank: null },
      /^kv_lora_rank: null/,
    ],
    "more dense layers than layers": [
      PUBLISHED["deepseek-v3"],
      { first_k_dense_replace: 62 },
      /^first_k_dense_replace: 62, must be at most/,
    ],
    "a section that is missing": [
      PUBLISHED.dbrx,
      { ffn_config: undefined },
      /^ffn_config: missing/,
    ],
    "a dense model's dropout": [
      PUBLISHED["llama2-70b"],
      { attention_dropout: 0.1 },
      /^attention_dropout: 0\.1/,
    ],
  };
  for (const [name, [config, change, message]] of Object.entries(refused)) {
    it(`is refused for ${name}`, () =>
      assert.throws(() => importHuggingFaceConfig({ ...config, ...change }), { message }));
  }
});
