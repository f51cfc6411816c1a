import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { importHuggingFaceConfig } from "./hugging-face.ts";
import { PRESETS } from "./presets.ts";

const MIXTRAL = {
  model_type: "mixtral",
  attention_dropout: 0.0,
  hidden_act: "silu",
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_attention_heads: 32,
  num_experts_per_tok: 2,
  num_hidden_layers: 32,
  num_key_value_heads: 8,
  num_local_experts: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 1e6,
  sliding_window: null,
  tie_word_embeddings: false,
  vocab_size: 32_000,
};

const SKYWORK = {
  model_type: "skywork",
  hidden_act: "silu",
  hidden_size: 4608,
  intermediate_size: 12_288,
  moe_2layer_gate: false,
  moe_expert_interval: 1,
  moe_feature_no_mul_topk: true,
  moe_gate_norm_std: 1.0,
  moe_use_logits_norm: true,
  num_attention_heads: 36,
  num_experts: [16],
  num_hidden_layers: 52,
  num_key_value_heads: 36,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  vocab_size: 65_536,
};

describe("importHuggingFaceConfig", () => {
  it("reads Mixtral 8x7B as the preset has it", () =>
    assert.deepEqual(importHuggingFaceConfig(MIXTRAL), PRESETS["mixtral-8x7b"]));

  it("reads Skywork-MoE as the preset has it", () =>
    assert.deepEqual(importHuggingFaceConfig(SKYWORK), PRESETS["skywork-moe-146b"]));

  it("reads RoPE where newer files keep it", () => {
    const { rope_theta: _, ...rest } = MIXTRAL;
    const rope_parameters = { rope_type: "default", rope_theta: 5e5 };
    assert.equal(importHuggingFaceConfig({ ...rest, rope_parameters }).model.ropeTheta, 5e5);
  });

  it("passes over unknown fields of no consequence for shapes", () => {
    const config = { ...MIXTRAL, transformers_version: "5.0", some_flag: true, num_beams: 4 };
    assert.deepEqual(importHuggingFaceConfig(config), PRESETS["mixtral-8x7b"]);
  });

  const refused: Record<string, [object, RegExp]> = {
    "another family": [{ ...MIXTRAL, model_type: "mamba" }, /^model_type: "mamba"/],
    "a sliding window": [{ ...MIXTRAL, sliding_window: 4096 }, /^sliding_window: 4096/],
    "scaled RoPE": [{ ...MIXTRAL, rope_scaling: { type: "yarn" } }, /^rope_scaling: /],
    "another activation": [{ ...MIXTRAL, hidden_act: "gelu" }, /^hidden_act: "gelu"/],
    "a missing size": [{ ...MIXTRAL, hidden_size: undefined }, /^hidden_size: missing/],
    "a size that is no number": [{ ...MIXTRAL, vocab_size: "32k" }, /^vocab_size: "32k"/],
    "dense layers in between": [{ ...SKYWORK, moe_expert_interval: 2 }, /^moe_expert_interval: 2/],
    "a gate of two layers": [{ ...SKYWORK, moe_2layer_gate: true }, /^moe_2layer_gate: true/],
    "experts that differ by layer": [{ ...SKYWORK, num_experts: [16, 8] }, /^num_experts: /],
    "a size below zero": [{ ...MIXTRAL, num_hidden_layers: -3 }, /^num_hidden_layers: -3, must be/],
    "layers without end": [
      { ...MIXTRAL, num_hidden_layers: 1e15 },
      /^num_hidden_layers: 1000000000000000, must be at most 512/,
    ],
    "half a layer": [{ ...MIXTRAL, num_hidden_layers: 1.5 }, /^num_hidden_layers: 1\.5, must be/],
    "heads that do not divide the width": [
      { ...MIXTRAL, num_attention_heads: 33 },
      /^num_attention_heads: 33, must be a divisor of hidden_size 4096/,
    ],
    "a family that only its prototype has": [
      { ...MIXTRAL, model_type: "constructor" },
      /^model_type: "constructor"/,
    ],
    "a size nobody knows": [{ ...MIXTRAL, num_memory_layers: 4 }, /^num_memory_layers: 4 is not/],
    "a list": [[MIXTRAL], /^is not a JSON object/],
  };
  for (const [name, [config, message]] of Object.entries(refused)) {
    it(`refuses ${name} by its field`, () =>
      assert.throws(() => importHuggingFaceConfig(config), { message }));
  }
});
