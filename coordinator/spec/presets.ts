import type { JobDocument, Model } from "./schema.ts";

/** What a preset or a config file says: the model, and its gate and experts. */
export interface KnownModel {
  model: Model;
  moe: Partial<JobDocument["moe"]> & { experts: number; topK: number };
}

export const PRESET_NAMES = ["skywork-moe-146b", "mixtral-8x7b"] as const;

export type PresetName = (typeof PRESET_NAMES)[number];

/** Published models, by name. */
export const PRESETS: Record<PresetName, KnownModel> = {
  // Skywork-MoE technical report, arXiv 2406.06563, and its published config.
  "skywork-moe-146b": {
    model: {
      layers: 52,
      hiddenSize: 4608,
      heads: 36,
      kvHeads: 36,
      headDim: 128,
      ffnHiddenSize: 12_288,
      vocabSize: 65_536,
      ropeTheta: 10_000,
      rmsNormEps: 1e-6,
      tiedEmbeddings: false,
    },
    moe: { experts: 16, topK: 2, gateNormalization: 1, auxLoss: "skywork" },
  },
  // Mixtral of Experts, arXiv 2401.04088, and its published config.
  "mixtral-8x7b": {
    model: {
      layers: 32,
      hiddenSize: 4096,
      heads: 32,
      kvHeads: 8,
      headDim: 128,
      ffnHiddenSize: 14_336,
      vocabSize: 32_000,
      ropeTheta: 1_000_000,
      rmsNormEps: 1e-5,
      tiedEmbeddings: false,
    },
    moe: {
      experts: 8,
      topK: 2,
      capacityFactor: "dropless",
      gateNormalization: 0,
      auxLoss: "switch",
      // Nothing is dropped, so there is no drop rate to adapt to.
      balancing: "fixed",
    },
  },
};

export function isPresetName(name: unknown): name is PresetName {
  return PRESET_NAMES.some((preset) => preset === name);
}
