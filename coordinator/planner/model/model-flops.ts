import { countModelParameters } from "./count-parameters.ts";
import type { ModelShape } from "./model-shape.ts";

/** What every MFU here counts, in words. */
export const MFU_CONVENTION =
  "6 x active parameters without the embedding table + causal attention, over the bf16 peak";

/**
 * Model FLOPs of one trained token: 6 a parameter it passes through (2 forward,
 * 4 backward; the embedding is a lookup, the head counts), and attention scores
 * and values over the causal half of the sequence, or over the window. Nothing
 * for recompute.
 */
export function modelFlopsPerToken(model: ModelShape, sequenceLength: number): number {
  const { attention, layers } = model;
  const width =
    attention.kind === "gqa"
      ? 2 * attention.headDim
      : attention.qkNopeHeadDim + attention.qkRopeHeadDim + attention.vHeadDim;
  const keys = layers.reduce((sum, { window }) => sum + meanKeys(sequenceLength, window), 0);
  const scores = 6 * attention.heads * width * keys;
  return 6 * countModelParameters(model).activeWithoutEmbedding + scores;
}

/** Keys a query sees on average: half the sequence, or less with a window. */
function meanKeys(sequenceLength: number, window = Number.POSITIVE_INFINITY): number {
  if (window >= sequenceLength) return sequenceLength / 2;
  return window - window ** 2 / (2 * sequenceLength);
}
