import { deepseek } from "./hugging-face-deepseek.ts";
import {
  type Config,
  counts,
  flag,
  isGiven,
  refuseUnless,
  section,
  size,
} from "./hugging-face-fields.ts";
import { renormalized } from "./hugging-face-gate.ts";
import {
  commonSizes,
  layerCount,
  NO_EXPERTS,
  slidingWindow,
  usualExperts,
} from "./hugging-face-layers.ts";
import { skyworkExperts } from "./hugging-face-skywork.ts";
import type { KnownModel } from "./presets.ts";

type Family = (config: Config) => KnownModel;

/** Readers by `model_type`. */
export const FAMILIES: Record<string, Family> = {
  mixtral: (config) => {
    refuseUnlessPlain(config);
    return {
      model: { ...commonSizes(config, { rmsNormEps: 1e-5, ropeTheta: 1e6 }), routerBias: false },
      moe: usualExperts(size(config, "num_local_experts"), size(config, "num_experts_per_tok", 2)),
    };
  },
  skywork,
  skywork_moe: skywork,
  qwen2_moe: (config) => qwenMoe(config, true),
  qwen3_moe: (config) => qwenMoe(config, false),
  deepseek,
  deepseek_v2: deepseek,
  deepseek_v3: deepseek,
  "grok-1": grok,
  grok1: grok,
  dbrx,
  gpt_oss: gptOss,
  llama: dense,
  mistral: dense,
  qwen2: (config) => {
    const { model, moe } = dense(config);
    return { model: { ...model, qkvBias: true }, moe };
  },
  qwen3: (config) => {
    const { model, moe } = dense(config);
    return { model: { ...model, qkNorm: true }, moe };
  },
};

/** What the engine's own model leaves no choice about. */
function refuseUnlessPlain(config: Config): void {
  refuseUnless(config, "sliding_window", [null]);
  refuseUnless(config, "rope_scaling", [null]);
  refuseUnless(config, "attention_bias", [false]);
}

function skywork(config: Config): KnownModel {
  // The dense Skywork-13B bears the same model_type and has no experts.
  if (!isGiven(config.num_experts)) return dense(config);
  refuseUnlessPlain(config);
  return {
    model: { ...commonSizes(config, { rmsNormEps: 1e-6 }), routerBias: false },
    moe: skyworkExperts(config),
  };
}

/** Llama and its kin: a dense FFN in every layer. */
function dense(config: Config): KnownModel {
  const bias = flag(config, "attention_bias");
  return {
    model: {
      ...commonSizes(config),
      ...slidingWindow(config),
      ...(bias ? { qkvBias: true, attentionOutBias: true } : {}),
      ...(flag(config, "mlp_bias") ? { ffnBias: true } : {}),
    },
    moe: NO_EXPERTS,
  };
}

/** Qwen2-MoE has biases and a gated shared expert, Qwen3-MoE normed heads. */
function qwenMoe(config: Config, isSecond: boolean): KnownModel {
  const common = commonSizes(config, { ffnField: "moe_intermediate_size" });
  const alone = counts(config, "mlp_only_layers");
  const step = size(config, "decoder_sparse_step", 1);
  const denseLayers = Array.from({ length: common.layers }, (_, index) => index).filter(
    (index) => alone.includes(index) || (index + 1) % step !== 0,
  );
  const bias = flag(config, "attention_bias");
  // Transformers 5 writes Qwen3-MoE's under Mixtral's name.
  const experts = isGiven(config.num_local_experts) ? "num_local_experts" : "num_experts";
  return {
    model: {
      ...common,
      ...slidingWindow(config),
      ...(denseLayers.length === 0
        ? {}
        : { denseLayers, denseFfnHiddenSize: size(config, "intermediate_size") }),
      ...(isSecond
        ? {
            qkvBias: flag(config, "qkv_bias", true),
            sharedFfnHiddenSize: size(config, "shared_expert_intermediate_size"),
            sharedExpertGate: true,
          }
        : { qkNorm: true, ...(bias ? { qkvBias: true, attentionOutBias: true } : {}) }),
      routerBias: false,
    },
    moe: {
      ...usualExperts(size(config, experts), size(config, "num_experts_per_tok")),
      ...renormalized(config),
    },
  };
}

/** Grok-1's experts are gated GELU, which costs what SwiGLU does; four norms a layer. */
function grok(config: Config): KnownModel {
  const common = commonSizes(config, { activations: ["gelu", "silu"] });
  return {
    model: {
      ...common,
      tiedEmbeddings: flag(config, "tie_word_embeddings", true),
      normsPerLayer: 4,
      routerBias: false,
    },
    moe: usualExperts(size(config, "num_experts"), size(config, "num_experts_per_tok")),
  };
}

/** DBRX keeps attention and FFN in sections of their own, under names of its own. */
function dbrx(config: Config): KnownModel {
  const attention = section(config, "attn_config");
  const ffn = section(config, "ffn_config");
  const activation = isGiven(ffn.ffn_act_fn) ? section(ffn, "ffn_act_fn") : {};
  refuseUnless(activation, "name", ["silu"]);
  const common = commonSizes({
    hidden_size: config.d_model,
    num_attention_heads: config.n_heads,
    num_hidden_layers: config.n_layers,
    num_key_value_heads: attention.kv_n_heads,
    intermediate_size: ffn.ffn_hidden_size,
    vocab_size: config.vocab_size,
    rope_theta: attention.rope_theta,
    tie_word_embeddings: config.tie_word_embeddings,
  });
  return {
    model: { ...common, rmsNormEps: 1e-5, routerBias: false },
    moe: usualExperts(size(ffn, "moe_num_experts"), size(ffn, "moe_top_k")),
  };
}

function gptOss(config: Config): KnownModel {
  const bias = flag(config, "attention_bias", true);
  const numLayers = layerCount(config);
  // Older files leave the alternation to the code.
  const types =
    config.layer_types ??
    Array.from({ length: numLayers }, (_, index) =>
      index % 2 === 0 ? "sliding_attention" : "full_attention",
    );
  const topK = isGiven(config.num_experts_per_tok) ? "num_experts_per_tok" : "experts_per_token";
  return {
    model: {
      ...commonSizes(config),
      ...slidingWindow({ sliding_window: 128, ...config, layer_types: types }),
      ...(bias ? { qkvBias: true, attentionOutBias: true } : {}),
      attentionSinks: true,
      ffnBias: true,
      routerBias: true,
    },
    moe: usualExperts(size(config, "num_local_experts"), size(config, topK)),
  };
}
