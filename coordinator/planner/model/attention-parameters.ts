import type { ModelShape } from "./model-shape.ts";

/** Weights of one layer's attention on one of `tensorParallel` ranks. */
export function attentionParameters(
  attention: ModelShape["attention"],
  hiddenSize: number,
  tensorParallel: number,
): number {
  const heads = attention.heads / tensorParallel;
  if (attention.kind === "mla") {
    const { qLoraRank, kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim } = attention;
    const queryWidth = heads * (qkNopeHeadDim + qkRopeHeadDim);
    // Down projections and the norms behind them are whole on every rank.
    const query =
      qLoraRank === undefined
        ? hiddenSize * queryWidth
        : hiddenSize * qLoraRank + qLoraRank + qLoraRank * queryWidth;
    const keyValue =
      hiddenSize * (kvLoraRank + qkRopeHeadDim) +
      kvLoraRank +
      kvLoraRank * heads * (qkNopeHeadDim + vHeadDim);
    return query + keyValue + heads * vHeadDim * hiddenSize;
  }
  const { headDim, qkvBias, outBias, qkNorm, sinks } = attention;
  const kvHeads = Math.max(1, attention.kvHeads / tensorParallel);
  const projections = 2 * hiddenSize * headDim * (heads + kvHeads);
  const biases = (qkvBias ? headDim * (heads + 2 * kvHeads) : 0) + (outBias ? hiddenSize : 0);
  return projections + biases + (qkNorm ? 2 * headDim : 0) + (sinks ? heads : 0);
}
