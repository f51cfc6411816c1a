import { z } from "zod";

const whole = z.int().nonnegative();
const count = z.int().positive();

const ffn = z.object({ hiddenSize: count, gated: z.boolean(), bias: z.boolean() });

const groupedQuery = z.object({
  kind: z.literal("gqa"),
  heads: count,
  kvHeads: count,
  headDim: count,
  qkvBias: z.boolean(),
  outBias: z.boolean(),
  qkNorm: z.boolean(),
  sinks: z.boolean(),
});

const latent = z.object({
  kind: z.literal("mla"),
  heads: count,
  qLoraRank: count.optional(),
  kvLoraRank: count,
  qkNopeHeadDim: count,
  qkRopeHeadDim: count,
  vHeadDim: count,
});

/** A model's sizes as a plan document carries them (model-shape.ts). */
export const modelShapeSchema = z.object({
  hiddenSize: count,
  vocabSize: count,
  tiedEmbeddings: z.boolean(),
  attention: z.discriminatedUnion("kind", [groupedQuery, latent]),
  layers: z.array(z.object({ kind: z.enum(["dense", "moe"]), window: count.optional() })).min(1),
  dense: ffn.optional(),
  moe: z
    .object({
      experts: count,
      topK: count,
      ffn,
      sharedFfnHiddenSize: whole,
      sharedGate: z.boolean(),
      routerBias: z.boolean(),
    })
    .optional(),
  normsPerLayer: count,
  layerNormBias: z.boolean(),
  positions: whole,
  mtpLayers: whole,
});
