import type { PartParameters } from "../cost/workload.ts";
import type { LayoutSizes } from "../layout/sizes.ts";
import type { ExpertsShape, FfnShape } from "./model-shape.ts";

/** Weights of one FFN on one of `ranks` that split its inner width. */
export function ffnParameters(ffn: FfnShape, hiddenSize: number, ranks: number): number {
  const width = ffn.hiddenSize / ranks;
  const inner = ffn.gated ? 2 * width : width;
  // The bias of the way back is added after the reduction, so every rank holds it.
  const biases = ffn.bias ? inner + hiddenSize : 0;
  return hiddenSize * (inner + width) + biases;
}

/** Weights of one layer's router, shared experts (`dense`) and experts on one rank. */
export function moeParameters(
  moe: ExpertsShape,
  hiddenSize: number,
  sizes: LayoutSizes,
): PartParameters {
  const { experts, ffn, sharedFfnHiddenSize, sharedGate, routerBias } = moe;
  const router = hiddenSize * experts + (routerBias ? experts : 0);
  const sharedFfn = { ...ffn, hiddenSize: sharedFfnHiddenSize };
  const shared =
    sharedFfnHiddenSize > 0 ? ffnParameters(sharedFfn, hiddenSize, sizes.tensorParallel) : 0;
  const expert = ffnParameters(ffn, hiddenSize, sizes.expertTensorParallel);
  return {
    dense: router + shared + (sharedGate ? hiddenSize : 0),
    expert: (experts / sizes.expertParallel) * expert,
  };
}
