import { z } from "zod";
import { whole } from "./numbers.ts";

const MAX_WIDTH = 1 << 20;
const MAX_LAYERS = 512;

const flag = (description: string) => z.boolean().optional().describe(description);

/** Multi-head latent attention, DeepSeek's (arXiv 2405.04434, section 2.1). */
const latentAttention = z
  .strictObject({
    qLoraRank: whole(1, MAX_WIDTH)
      .optional()
      .describe("Rank of the compressed query. Default: queries are projected directly."),
    kvLoraRank: whole(1, MAX_WIDTH).describe("Rank of the compressed keys and values."),
    qkNopeHeadDim: whole(1, 8192).describe("Width of a query and key head without RoPE."),
    qkRopeHeadDim: whole(2, 8192).describe("Width of a query and key head under RoPE."),
    vHeadDim: whole(1, 8192).describe("Width of a value head."),
  })
  .optional()
  .describe("Sizes of multi-head latent attention, in place of kvHeads and headDim.");

/**
 * How a model differs from the plain one, MoE in every layer with grouped-query
 * attention. The planner knows all of it; the engine trains the plain one, and
 * models with dense layers and shared experts.
 */
export const modelKindFields = {
  latentAttention,
  qkvBias: flag("Biases on the query, key and value projections. Default: false."),
  attentionOutBias: flag("A bias on attention's output projection. Default: false."),
  qkNorm: flag("RMSNorm over each query and key head. Default: false."),
  attentionSinks: flag("A learned logit a head in attention's softmax. Default: false."),
  slidingWindow: whole(1, 1 << 24)
    .optional()
    .describe("Tokens a query sees in layers under sliding-window attention. Default: all."),
  fullAttentionEvery: whole(1, MAX_LAYERS)
    .optional()
    .describe(
      "With slidingWindow: every layer of this number, counted from 1, sees all tokens. Default: none does.",
    ),
  denseLayers: z
    .union([whole(0, MAX_LAYERS), z.array(whole(0, MAX_LAYERS - 1)).max(MAX_LAYERS)])
    .optional()
    .describe(
      "Layers with a dense FFN in place of experts: how many at the beginning, or a list counted from 0.",
    ),
  denseFfnHiddenSize: whole(1, MAX_WIDTH)
    .optional()
    .describe("Hidden width of the dense layers' FFN. Default: ffnHiddenSize."),
  sharedFfnHiddenSize: whole(0, MAX_WIDTH)
    .optional()
    .describe("Hidden width of all shared experts of a layer together. Default: 0, none."),
  sharedExpertGate: flag("The shared expert's output is gated by one number. Default: false."),
  routerBias: flag("The router has a bias an expert, or a correction of it. Default: true."),
  gatedFfn: flag("FFNs are SwiGLU's three matrices; false for two. Default: true."),
  ffnBias: flag("Biases in FFNs and experts. Default: false."),
  normsPerLayer: whole(1, 4).optional().describe("Norms of a layer. Default: 2."),
  normBias: flag("Norms are LayerNorm with a bias. Default: false."),
  learnedPositions: whole(0, 1 << 24)
    .optional()
    .describe("Rows of a learned position table in place of RoPE. Default: 0, none."),
  mtpLayers: whole(0, 16)
    .optional()
    .describe("Multi-token-prediction layers behind the last. Default: 0."),
};
