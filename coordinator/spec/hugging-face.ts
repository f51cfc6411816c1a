import type { KnownModel } from "./presets.ts";

type Config = Record<string, unknown>;

/** Says which field of a config.json cannot be taken over, and why. */
export class UnsupportedConfigError extends Error {}

/**
 * Takes over a Hugging Face `config.json` of a Mixtral or Skywork-MoE model.
 * Fields that change what the model computes and have no counterpart here are
 * refused by name; the rest (token ids, dropout-free inference settings) are
 * of no consequence for training and are passed over.
 *
 * @throws UnsupportedConfigError naming the field
 */
export function importHuggingFaceConfig(value: unknown): KnownModel {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UnsupportedConfigError("is not a JSON object; give a model's config.json");
  }
  const config = value as Config;
  const family = FAMILIES[String(config.model_type)];
  if (family === undefined) {
    throw new UnsupportedConfigError(
      `model_type: ${JSON.stringify(config.model_type ?? null)} is not supported; use mixtral or skywork, or write the sizes inline`,
    );
  }
  refuseUnless(config, "hidden_act", ["silu"]);
  refuseUnless(config, "sliding_window", [null]);
  refuseUnless(config, "rope_scaling", [null]);
  refuseUnless(config, "attention_bias", [false]);
  refuseUnless(config, "attention_dropout", [0]);
  const hiddenSize = positive(config, "hidden_size");
  const heads = positive(config, "num_attention_heads");
  return {
    model: {
      layers: positive(config, "num_hidden_layers"),
      hiddenSize,
      heads,
      kvHeads: isGiven(config.num_key_value_heads)
        ? positive(config, "num_key_value_heads")
        : heads,
      headDim: isGiven(config.head_dim) ? positive(config, "head_dim") : hiddenSize / heads,
      ffnHiddenSize: positive(config, "intermediate_size"),
      vocabSize: positive(config, "vocab_size"),
      ropeTheta: ropeTheta(config),
      rmsNormEps: isGiven(config.rms_norm_eps)
        ? positive(config, "rms_norm_eps")
        : family.rmsNormEps,
      tiedEmbeddings: config.tie_word_embeddings === true,
    },
    moe: family.moe(config),
  };
}

const FAMILIES: Record<string, { rmsNormEps: number; moe: (config: Config) => KnownModel["moe"] }> =
  {
    mixtral: {
      rmsNormEps: 1e-5,
      moe: (config) => ({
        experts: positive(config, "num_local_experts"),
        topK: isGiven(config.num_experts_per_tok) ? positive(config, "num_experts_per_tok") : 2,
        capacityFactor: "dropless",
        gateNormalization: 0,
        auxLoss: "switch",
        balancing: "fixed",
      }),
    },
    skywork: { rmsNormEps: 1e-6, moe: skyworkMoe },
    skywork_moe: { rmsNormEps: 1e-6, moe: skyworkMoe },
  };

/** The published Skywork-MoE code is always top-2 and lists experts as `[16]`. */
function skyworkMoe(config: Config): KnownModel["moe"] {
  refuseUnless(config, "moe_expert_interval", [1]);
  refuseUnless(config, "moe_2layer_gate", [false]);
  if (config.moe_use_mixtral_gating !== true && config.moe_feature_no_mul_topk === false) {
    throw new UnsupportedConfigError(
      "moe_feature_no_mul_topk: false is not supported (experts' inputs multiplied by top-k); write the sizes inline",
    );
  }
  const experts = Array.isArray(config.num_experts) ? config.num_experts : [config.num_experts];
  if (experts.length !== 1) {
    throw new UnsupportedConfigError(
      "num_experts: a different number of experts per layer is not supported; use one number",
    );
  }
  const [numExperts] = experts;
  const normalized = config.moe_use_logits_norm === true;
  return {
    experts: positive({ num_experts: numExperts }, "num_experts"),
    topK: isGiven(config.num_experts_per_tok) ? positive(config, "num_experts_per_tok") : 2,
    gateNormalization: !normalized
      ? 0
      : isGiven(config.moe_gate_norm_std)
        ? positive(config, "moe_gate_norm_std")
        : 1,
    auxLoss: "skywork",
  };
}

function ropeTheta(config: Config): number {
  if (!isGiven(config.rope_parameters)) {
    return isGiven(config.rope_theta) ? positive(config, "rope_theta") : 10_000;
  }
  const parameters = config.rope_parameters as Config;
  refuseUnless(parameters, "rope_type", ["default"]);
  return positive(parameters, "rope_theta");
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function refuseUnless(config: Config, field: string, allowed: readonly unknown[]): void {
  const value = config[field];
  if (value === undefined || allowed.includes(value)) return;
  throw new UnsupportedConfigError(
    `${field}: ${JSON.stringify(value)} is not supported, only ${JSON.stringify(allowed[0])}; change it or write the sizes inline`,
  );
}

function positive(config: Config, field: string): number {
  const value = config[field];
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw new UnsupportedConfigError(
    `${field}: ${value === undefined ? "missing" : JSON.stringify(value)}, must be a number above 0; correct the file`,
  );
}
