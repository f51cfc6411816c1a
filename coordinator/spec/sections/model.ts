import { z } from "zod";
import { PRESET_NAMES } from "../presets.ts";
import { modelKindFields } from "./model-kinds.ts";
import { positive, whole } from "./numbers.ts";

/**
 * The model, in one of four ways: a preset, a Hugging Face `config.json`, the
 * weights of a checkpoint, or inline. Inline values beside `preset` or `config`
 * replace what those say, so `{preset: mixtral-8x7b, layers: 4}` is a Mixtral of
 * four layers.
 */
export const modelSection = z
  .strictObject({
    preset: z.enum(PRESET_NAMES).optional().describe("Name of a published model to start from."),
    config: z
      .string()
      .min(1)
      .optional()
      .describe("Path of a Hugging Face config.json, relative to the job file."),
    weights: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Folder of a checkpoint, relative to the job file: of moestro import, moestro upcycle or a run. Sizes, gate and experts come from it, and training starts from its weights.",
      ),
    layers: whole(1, 512)
      .optional()
      .describe("Decoder layers; every one is an MoE layer unless denseLayers says."),
    hiddenSize: whole(1, 1 << 20)
      .optional()
      .describe("Width of the residual stream."),
    heads: whole(1, 4096).optional().describe("Attention heads (queries)."),
    kvHeads: whole(1, 4096)
      .optional()
      .describe("Key and value heads of grouped-query attention. Default: heads."),
    headDim: whole(2, 8192)
      .optional()
      .describe("Width of one head, even for RoPE. Default: hiddenSize / heads."),
    ffnHiddenSize: whole(1, 1 << 20)
      .optional()
      .describe("Hidden width of one expert's SwiGLU, or of the FFN of a model without experts."),
    vocabSize: whole(256, 1 << 24)
      .optional()
      .describe("Vocabulary; text is read as bytes, so at least 256."),
    ropeTheta: positive().default(10_000).describe("Base of the rotary position embedding."),
    rmsNormEps: positive().default(1e-6).describe("Epsilon of RMSNorm."),
    tiedEmbeddings: z
      .boolean()
      .default(false)
      .describe("Whether the head shares the embedding's weights."),
    ...modelKindFields,
  })
  .meta({
    anyOf: [
      { required: ["preset"] },
      { required: ["config"] },
      { required: ["weights"] },
      { required: ["layers", "hiddenSize", "heads", "ffnHiddenSize", "vocabSize"] },
    ],
  })
  .describe(
    "The model: a preset, a Hugging Face config.json, a checkpoint's weights, or inline sizes.",
  );

/** Inline sizes that have no default. */
export const REQUIRED_MODEL_KEYS = [
  "layers",
  "hiddenSize",
  "heads",
  "ffnHiddenSize",
  "vocabSize",
] as const;
