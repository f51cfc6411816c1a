import type { ModelShape } from "../planner/model/model-shape.ts";
import { MODEL_NAMES, MODEL_SHAPES, type ModelName } from "../planner/model/shapes.ts";
import { NO_EXPERTS, usualExperts } from "./hugging-face-layers.ts";
import { modelOfShape } from "./model-of-shape.ts";
import type { JobDocument, Model } from "./schema.ts";

/** What a preset or a config file says: the model, and its gate and experts. */
export interface KnownModel {
  model: Model;
  moe: Partial<JobDocument["moe"]> & { experts: number; topK: number };
}

export type PresetName = ModelName;

export const PRESET_NAMES: readonly PresetName[] = MODEL_NAMES;

/** Base of RoPE and epsilon of the norms, as each model's config.json has them. */
const ROPE_AND_EPSILON: Record<PresetName, readonly [ropeTheta: number, rmsNormEps: number]> = {
  "skywork-moe-146b": [1e4, 1e-6],
  "mixtral-8x7b": [1e6, 1e-5],
  "mixtral-8x22b": [1e6, 1e-5],
  "mixtral-8x22b-g8t8": [1e6, 1e-5],
  "qwen2-57b-a14b": [1e6, 1e-6],
  "qwen3-30b-a3b": [1e6, 1e-6],
  "qwen3-235b-a22b": [1e6, 1e-6],
  "deepseek-moe-16b": [1e4, 1e-6],
  "deepseek-v2-lite": [1e4, 1e-6],
  "deepseek-v2": [1e4, 1e-6],
  "deepseek-v3": [1e4, 1e-6],
  "grok-1": [1e4, 1e-5],
  dbrx: [5e5, 1e-5],
  "gpt-oss-20b": [1.5e5, 1e-5],
  "gpt-oss-120b": [1.5e5, 1e-5],
  "skywork-13b": [1e4, 1e-6],
  "llama2-7b": [1e4, 1e-5],
  "llama2-13b": [1e4, 1e-5],
  "llama2-70b": [1e4, 1e-5],
  "llama3-8b": [5e5, 1e-5],
  "llama3-70b": [5e5, 1e-5],
  "llama3-405b": [5e5, 1e-5],
  "mistral-7b": [1e4, 1e-5],
  "qwen3-8b": [1e6, 1e-6],
  "qwen3-14b": [1e6, 1e-6],
  "qwen3-32b": [1e6, 1e-6],
};

/** Gates that are not a renormalised softmax, as each model's config.json has them. */
const GATES: Partial<Record<PresetName, Partial<KnownModel["moe"]>>> = {
  "qwen2-57b-a14b": { renormalize: false },
  "deepseek-moe-16b": { renormalize: false },
  "deepseek-v2-lite": { renormalize: false },
  "deepseek-v2": { renormalize: false },
  // DeepSeek-V3 report, arXiv 2412.19437, section 2.1.2.
  "deepseek-v3": { gateFunction: "sigmoid", balancing: "bias" },
};

/** Published models, by name. */
export const PRESETS = Object.fromEntries(
  PRESET_NAMES.map((name) => [name, knownModel(name, MODEL_SHAPES[name])]),
) as Record<PresetName, KnownModel>;

export function isPresetName(name: unknown): name is PresetName {
  return PRESET_NAMES.some((preset) => preset === name);
}

function knownModel(name: PresetName, shape: ModelShape): KnownModel {
  const [ropeTheta, rmsNormEps] = ROPE_AND_EPSILON[name];
  return { model: { ...modelOfShape(shape), ropeTheta, rmsNormEps }, moe: experts(name, shape) };
}

function experts(name: PresetName, { moe }: ModelShape): KnownModel["moe"] {
  if (moe === undefined) return NO_EXPERTS;
  const { experts, topK } = moe;
  // Skywork-MoE technical report, arXiv 2406.06563, section 3.
  return name === "skywork-moe-146b"
    ? { experts, topK, gateNormalization: 1, auxLoss: "skywork" }
    : { ...usualExperts(experts, topK), ...GATES[name] };
}
