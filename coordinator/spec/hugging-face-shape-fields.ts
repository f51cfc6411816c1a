/** What every family writes alike, and sizes of no consequence for training. */
export const IDLE_FIELDS: readonly string[] = [
  ...["head_dim", "hidden_size", "intermediate_size", "vocab_size"],
  ...["num_attention_heads", "num_hidden_layers", "num_key_value_heads"],
  // Lengths that a model is meant for, groups of routing, and settings of text generation.
  ...["n_ctx", "n_positions", "ep_size", "n_group", "num_labels", "num_logits_to_keep"],
  ...["num_beams", "num_beam_groups", "num_return_sequences"],
  ...["no_repeat_ngram_size", "encoder_no_repeat_ngram_size"],
  // Judged by values of its own.
  "layer_types",
];

const WINDOWS = ["layer_types", "max_window_layers", "sliding_window", "use_sliding_window"];

const DENSE = [...WINDOWS, "attention_bias", "mlp_bias"];

const MIXTRAL = ["attention_bias", "num_experts_per_tok", "num_local_experts", "sliding_window"];

const SKYWORK = [
  ...DENSE,
  ...["moe_2layer_gate", "moe_expert_interval", "num_experts", "num_experts_per_tok"],
];

const QWEN_MOE = [
  ...WINDOWS,
  ...["decoder_sparse_step", "mlp_only_layers", "moe_intermediate_size"],
  ...["num_experts", "num_experts_per_tok", "num_local_experts"],
];

const DEEPSEEK = [
  ...["attention_bias", "first_k_dense_replace", "moe_intermediate_size", "moe_layer_freq"],
  ...["n_routed_experts", "n_shared_experts", "num_experts_per_tok", "num_nextn_predict_layers"],
  ...["kv_lora_rank", "q_lora_rank", "v_head_dim"],
  ...["qk_head_dim", "qk_nope_head_dim", "qk_rope_head_dim"],
];

const GROK = ["num_experts", "num_experts_per_tok"];

/** By `model_type`, the fields that shape a model and that its reader reads or refuses. */
export const SHAPE_FIELDS: Record<string, readonly string[]> = {
  mixtral: MIXTRAL,
  skywork: SKYWORK,
  skywork_moe: SKYWORK,
  qwen2_moe: [...QWEN_MOE, "qkv_bias", "shared_expert_intermediate_size"],
  qwen3_moe: [...QWEN_MOE, "attention_bias"],
  deepseek: DEEPSEEK,
  deepseek_v2: DEEPSEEK,
  deepseek_v3: DEEPSEEK,
  "grok-1": GROK,
  grok1: GROK,
  dbrx: ["d_model", "n_heads", "n_layers"],
  gpt_oss: [
    ...WINDOWS,
    ...["attention_bias", "experts_per_token", "num_experts_per_tok", "num_local_experts"],
  ],
  llama: DENSE,
  mistral: DENSE,
  qwen2: DENSE,
  qwen3: DENSE,
};
