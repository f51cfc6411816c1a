import { createHash } from "node:crypto";
import type { Job } from "../../spec/schema.ts";

/** Hash of the sizes that measured layer times hold for; depth and batch do not matter. */
export function modelFingerprint({ model, moe, training }: Job): string {
  const sizes = [
    model.hiddenSize,
    model.heads,
    model.kvHeads,
    model.headDim,
    model.ffnHiddenSize,
    model.vocabSize,
    moe.experts,
    moe.topK,
    moe.capacityFactor,
    training.sequenceLength,
  ];
  return createHash("sha256").update(JSON.stringify(sizes)).digest("hex").slice(0, 16);
}
