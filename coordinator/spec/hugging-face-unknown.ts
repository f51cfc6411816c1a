import { type Config, UnsupportedConfigError } from "./hugging-face-fields.ts";

/** Names of fields that size something. */
const SIZE_NAME =
  /^(?:num|n)_|_(?:size|dim|rank|layers|heads|experts|window|freq|interval|step|topk)$/;

/** Sizes that some family is read by, and sizes of no consequence for training. */
const KNOWN = new Set([
  "decoder_sparse_step",
  "encoder_no_repeat_ngram_size",
  "ep_size",
  "head_dim",
  "hidden_size",
  "intermediate_size",
  "kv_lora_rank",
  "max_window_layers",
  "mlp_only_layers",
  "moe_expert_interval",
  "moe_intermediate_size",
  "moe_layer_freq",
  "n_ctx",
  "n_group",
  "n_heads",
  "n_layers",
  "n_positions",
  "n_routed_experts",
  "n_shared_experts",
  "no_repeat_ngram_size",
  "num_attention_heads",
  "num_beam_groups",
  "num_beams",
  "num_experts",
  "num_experts_per_tok",
  "num_hidden_layers",
  "num_key_value_heads",
  "num_labels",
  "num_local_experts",
  "num_logits_to_keep",
  "num_nextn_predict_layers",
  "num_return_sequences",
  "q_lora_rank",
  "qk_head_dim",
  "qk_nope_head_dim",
  "qk_rope_head_dim",
  "shared_expert_intermediate_size",
  "sliding_window",
  "v_head_dim",
  "vocab_size",
]);

/**
 * Refuses a field that, by its name and value, sizes something that is not known
 * here: passing over it would plan for another model. Other unknown fields pass.
 *
 * @throws UnsupportedConfigError naming the field
 */
export function refuseUnknownSizes(config: Config): void {
  const unknown = Object.entries(config).find(
    ([field, value]) =>
      SIZE_NAME.test(field) &&
      !KNOWN.has(field) &&
      (Array.isArray(value) ? value.length > 0 : typeof value === "number" && value !== 0),
  );
  if (unknown === undefined) return;
  const [field, value] = unknown;
  throw new UnsupportedConfigError(
    `${field}: ${JSON.stringify(value)} is not known to size anything of this family; remove it if it changes no shape, or write the sizes inline`,
  );
}
