import { type Config, flag, isGiven, refuseUnless } from "./hugging-face-fields.ts";
import type { KnownModel } from "./presets.ts";

/** What a gate does beside choosing, where it is not the usual: a renormalised softmax. */
type Gate = Partial<KnownModel["moe"]>;

/** Qwen's and DeepSeek's softmax is not renormalised unless `norm_topk_prob` says so. */
export function renormalized(config: Config, otherwise = false): Gate {
  return flag(config, "norm_topk_prob", otherwise) ? {} : { renormalize: false };
}

/** DeepSeek-V3's gate takes sigmoids and is balanced by biases; earlier ones take a softmax. */
export function deepseekGate(config: Config): Gate {
  const isThird = config.model_type === "deepseek_v3";
  refuseUnless(config, "scoring_func", ["softmax", "sigmoid"]);
  const scoring = isGiven(config.scoring_func)
    ? config.scoring_func
    : isThird
      ? "sigmoid"
      : "softmax";
  return {
    ...(scoring === "sigmoid" ? { gateFunction: "sigmoid" } : {}),
    ...(config.topk_method === "noaux_tc" ? { balancing: "bias" } : {}),
    ...renormalized(config, isThird),
  };
}
