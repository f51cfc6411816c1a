import type { ModelShape } from "../model/model-shape.ts";
import { countOf, type Fields, requiredCount } from "./fields.ts";
import { denseModel } from "./memory-models.ts";

/** FFN widths of the models, for the rows that leave them empty. */
const FFN_HIDDEN_SIZES: Record<number, number> = { 8192: 28672, 16384: 53248 };

/**
 * The Llama shape of a row of nanotron's benchmark. Rows with fewer key-value
 * heads than heads say so; where the field is empty there are as many.
 */
export function nanotronShape(fields: Fields): ModelShape {
  const hiddenSize = requiredCount(fields, "hidden");
  const heads = requiredCount(fields, "heads");
  return denseModel({
    hiddenSize,
    ffnHiddenSize:
      countOf(fields, "ffn") ?? FFN_HIDDEN_SIZES[hiddenSize] ?? requiredCount(fields, "ffn"),
    layers: requiredCount(fields, "layers"),
    heads,
    kvHeads: countOf(fields, "kv_heads") ?? heads,
    vocabSize: requiredCount(fields, "vocab"),
    tiedEmbeddings: /true/i.test(fields.tie_embeddings ?? ""),
  });
}

/** ZeRO 1 spreads the optimizer's state; 0 does not. */
export function nanotronSharding(fields: Fields): "zero1" | "none" {
  return Number(fields.zero_stage || 0) > 0 ? "zero1" : "none";
}
