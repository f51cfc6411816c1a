import { type Config, count, isGiven, refuseUnless, size, wrong } from "./hugging-face-fields.ts";
import { deepseekGate } from "./hugging-face-gate.ts";
import { commonSizes, NO_EXPERTS, usualExperts } from "./hugging-face-layers.ts";
import type { KnownModel } from "./presets.ts";
import type { ModelKind } from "./schema.ts";

/** DeepSeek-MoE (no latent attention), V2, V3 and what copies them. */
export function deepseek(config: Config): KnownModel {
  refuseUnless(config, "attention_bias", [false]);
  const hasExperts = isGiven(config.n_routed_experts);
  // A head's width is said by latent attention's own sizes.
  const heads = size(config, "num_attention_heads");
  const latent = latentSizes(config);
  const { latentAttention } = latent;
  const width =
    latentAttention === undefined
      ? {}
      : { head_dim: latentAttention.qkNopeHeadDim + latentAttention.qkRopeHeadDim };
  const grouped = latentAttention === undefined ? {} : { num_key_value_heads: heads };
  const ffnField = hasExperts ? "moe_intermediate_size" : "intermediate_size";
  const common = commonSizes({ ...config, ...width, ...grouped }, { ffnField });
  if (!hasExperts) return { model: { ...common, ...latent }, moe: NO_EXPERTS };
  const shared = count(config, "n_shared_experts");
  const numMtp = count(config, "num_nextn_predict_layers");
  return {
    model: {
      ...common,
      ...latent,
      ...denseLayers(config, common.layers),
      ...(shared > 0 ? { sharedFfnHiddenSize: shared * common.ffnHiddenSize } : {}),
      ...(numMtp > 0 ? { mtpLayers: numMtp } : {}),
      routerBias: config.topk_method === "noaux_tc",
    },
    moe: {
      ...usualExperts(size(config, "n_routed_experts"), size(config, "num_experts_per_tok")),
      ...deepseekGate(config),
    },
  };
}

function latentSizes(config: Config): Pick<ModelKind, "latentAttention"> {
  if (!isGiven(config.kv_lora_rank)) {
    if (config.model_type !== "deepseek") {
      throw wrong("kv_lora_rank", config.kv_lora_rank, "a whole number above 0");
    }
    return {};
  }
  return {
    latentAttention: {
      ...(isGiven(config.q_lora_rank) ? { qLoraRank: size(config, "q_lora_rank") } : {}),
      kvLoraRank: size(config, "kv_lora_rank"),
      qkNopeHeadDim: size(config, "qk_nope_head_dim"),
      qkRopeHeadDim: size(config, "qk_rope_head_dim"),
      vHeadDim: size(config, "v_head_dim"),
    },
  };
}

/** The first layers, and with moe_layer_freq above 1 those in between. */
function denseLayers(
  config: Config,
  numLayers: number,
): Pick<ModelKind, "denseLayers" | "denseFfnHiddenSize"> {
  const first = count(config, "first_k_dense_replace");
  const every = size(config, "moe_layer_freq", 1);
  if (first > numLayers) {
    throw wrong("first_k_dense_replace", first, `at most num_hidden_layers ${numLayers}`);
  }
  if (first === 0 && every === 1) return {};
  const between = Array.from({ length: numLayers }, (_, index) => index).filter(
    (index) => index < first || index % every !== 0,
  );
  return {
    denseLayers: every === 1 ? first : between,
    denseFfnHiddenSize: size(config, "intermediate_size"),
  };
}
