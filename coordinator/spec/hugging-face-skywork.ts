import {
  type Config,
  positive,
  refuseUnless,
  size,
  UnsupportedConfigError,
} from "./hugging-face-fields.ts";
import type { KnownModel } from "./presets.ts";

/** The published Skywork-MoE code is always top-2 and lists experts as `[16]`. */
export function skyworkExperts(config: Config): KnownModel["moe"] {
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
    experts: size({ num_experts: numExperts }, "num_experts"),
    topK: size(config, "num_experts_per_tok", 2),
    gateNormalization: normalized ? positive(config, "moe_gate_norm_std", 1) : 0,
    auxLoss: "skywork",
  };
}
