import {
  type Config,
  flag,
  isGiven,
  positive,
  refuseUnless,
  section,
  size,
  UnsupportedConfigError,
  wrong,
} from "./hugging-face-fields.ts";
import type { KnownModel } from "./presets.ts";
import type { Model } from "./schema.ts";

/** The section of a dense model: nothing to route. */
export const NO_EXPERTS: KnownModel["moe"] = { experts: 0, topK: 0 };

/** Experts as all but Skywork-MoE have them: nothing dropped, so no drop rate to adapt to. */
export function usualExperts(experts: number, topK: number): KnownModel["moe"] {
  return {
    experts,
    topK,
    capacityFactor: "dropless",
    gateNormalization: 0,
    auxLoss: "switch",
    balancing: "fixed",
  };
}

interface Habits {
  rmsNormEps?: number;
  ropeTheta?: number;
  /** The field with the width of an expert. */
  ffnField?: string;
  activations?: readonly string[];
}

/** The job file's own limit, told before lists of that length are made. */
const MAX_LAYERS = 512;

export function layerCount(config: Config): number {
  const layers = size(config, "num_hidden_layers");
  if (layers <= MAX_LAYERS) return layers;
  throw wrong("num_hidden_layers", layers, `at most ${MAX_LAYERS}`);
}

/** The sizes that every family writes alike. */
export function commonSizes(config: Config, habits: Habits = {}): Model {
  const { rmsNormEps = 1e-6, ffnField = "intermediate_size", activations = ["silu"] } = habits;
  refuseUnless(config, "hidden_act", activations);
  refuseUnless(config, "attention_dropout", [0]);
  const hiddenSize = size(config, "hidden_size");
  const heads = size(config, "num_attention_heads");
  if (!isGiven(config.head_dim) && hiddenSize % heads !== 0) {
    throw wrong("num_attention_heads", heads, `a divisor of hidden_size ${hiddenSize}`);
  }
  return {
    layers: layerCount(config),
    hiddenSize,
    heads,
    kvHeads: size(config, "num_key_value_heads", heads),
    headDim: size(config, "head_dim", hiddenSize / heads),
    ffnHiddenSize: size(config, ffnField),
    vocabSize: size(config, "vocab_size"),
    ropeTheta: ropeTheta(config, habits.ropeTheta ?? 10_000),
    rmsNormEps: positive(config, "rms_norm_eps", rmsNormEps),
    tiedEmbeddings: flag(config, "tie_word_embeddings"),
  };
}

/**
 * Layers with a window: those that `layer_types` calls so, or all of them. Qwen
 * writes a window that only `use_sliding_window` turns on, from a layer on that has
 * no counterpart here.
 */
export function slidingWindow(config: Config): Pick<Model, "slidingWindow" | "fullAttentionEvery"> {
  const types = isGiven(config.layer_types) ? config.layer_types : undefined;
  refuseUnless(config, "use_sliding_window", [false, null]);
  if (config.use_sliding_window === false || !isGiven(config.sliding_window)) return {};
  const window = { slidingWindow: size(config, "sliding_window") };
  if (types === undefined) return window;
  if (!Array.isArray(types)) throw wrong("layer_types", types, "a list");
  const first = types.indexOf("full_attention") + 1;
  const expected = (index: number) =>
    first > 0 && (index + 1) % first === 0 ? "full_attention" : "sliding_attention";
  const isRegular =
    types.length === config.num_hidden_layers &&
    types.every((type, index) => type === expected(index));
  if (!isRegular) {
    throw new UnsupportedConfigError(
      "layer_types: must be one of sliding_attention or full_attention a layer, full_attention at regular distances; correct it or write the sizes inline",
    );
  }
  if (first === 1) return {};
  return first === 0 ? window : { ...window, fullAttentionEvery: first };
}

/** Newer files keep RoPE in a section. Scaling it changes no shape. */
function ropeTheta(config: Config, otherwise: number): number {
  if (!isGiven(config.rope_parameters)) return positive(config, "rope_theta", otherwise);
  const parameters = section(config, "rope_parameters");
  return positive(parameters, "rope_theta", otherwise);
}
