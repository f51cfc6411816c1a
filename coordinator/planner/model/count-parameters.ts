import type { PartKind, PartParameters } from "../cost/workload.ts";
import type { LayoutSizes } from "../layout/sizes.ts";
import { attentionParameters } from "./attention-parameters.ts";
import { ffnParameters, moeParameters } from "./ffn-parameters.ts";
import type { LayerShape, ModelShape } from "./model-shape.ts";

export interface ModelParameters {
  /** Every weight of the model, MTP layers apart. */
  total: number;
  /** What one token passes through: top-k experts and all the rest, both tables included. */
  active: number;
  /**
   * Active, less the embedding table and positions, which are looked up; the head
   * counts, and a tied table counts once, as the head.
   */
  activeWithoutEmbedding: number;
  /** Weights of the MTP layers, which most publications leave out of the total. */
  mtp: number;
}

/** One rank for everything, so that parts of a rank are whole parts. */
const WHOLE: LayoutSizes = {
  tensorParallel: 1,
  contextParallel: 1,
  pipelineParallel: 1,
  dataParallel: 1,
  expertParallel: 1,
  expertTensorParallel: 1,
};

/** Counts the model's weights, as numbers, not bytes. */
export function countModelParameters(shape: ModelShape): ModelParameters {
  const numMoe = shape.layers.filter(({ kind }) => kind === "moe").length;
  const dense = numMoe < shape.layers.length ? sum(partParameters(shape, "dense", WHOLE)) : 0;
  const moe = numMoe > 0 ? partParameters(shape, "moe", WHOLE) : { dense: 0, expert: 0 };
  const tables =
    sum(partParameters(shape, "embedding", WHOLE)) + sum(partParameters(shape, "head", WHOLE));
  const fixed = (shape.layers.length - numMoe) * dense + numMoe * moe.dense + tables;
  const share = shape.moe === undefined ? 0 : shape.moe.topK / shape.moe.experts;
  const active = fixed + numMoe * moe.expert * share;
  const lookup = shape.tiedEmbeddings ? 0 : shape.vocabSize * shape.hiddenSize;
  return {
    total: fixed + numMoe * moe.expert,
    active,
    activeWithoutEmbedding: active - lookup - shape.positions * shape.hiddenSize,
    mtp: shape.mtpLayers > 0 ? sum(partParameters(shape, "mtp", WHOLE)) * shape.mtpLayers : 0,
  };
}

/**
 * Weights of one part on one rank. Attention, dense FFN and shared experts are
 * split over TP, both tables over TP by vocabulary, experts over EP and ETP;
 * norms, router, positions and MLA's down projections are whole on every rank.
 * A key-value head is never split: TP beyond their number repeats them. `mtp`
 * is one MTP layer. A tied table lies on both ends of a pipeline (Megatron-Core).
 */
export function partParameters(
  shape: ModelShape,
  kind: PartKind,
  sizes: LayoutSizes,
): PartParameters {
  const { hiddenSize } = shape;
  const { tensorParallel } = sizes;
  const table = (shape.vocabSize * hiddenSize) / tensorParallel;
  switch (kind) {
    case "embedding":
      return { dense: table + shape.positions * hiddenSize, expert: 0 };
    case "head": {
      const isShared = shape.tiedEmbeddings && sizes.pipelineParallel === 1;
      return { dense: (isShared ? 0 : table) + normParameters(shape), expert: 0 };
    }
    case "mtp": {
      const layer = layerParameters(shape, shape.layers.at(-1)?.kind ?? "dense", sizes);
      // Embedding and hidden state are normed, joined and projected to one width; a
      // norm of its own stands before the shared head (arXiv 2412.19437, section 2.2).
      const joined = (2 * hiddenSize * hiddenSize) / tensorParallel + 3 * normParameters(shape);
      return { dense: layer.dense + joined, expert: layer.expert };
    }
    default:
      return layerParameters(shape, kind, sizes);
  }
}

function layerParameters(
  shape: ModelShape,
  kind: LayerShape["kind"],
  sizes: LayoutSizes,
): PartParameters {
  const around =
    attentionParameters(shape.attention, shape.hiddenSize, sizes.tensorParallel) +
    shape.normsPerLayer * normParameters(shape);
  if (kind === "moe" && shape.moe !== undefined) {
    const { dense, expert } = moeParameters(shape.moe, shape.hiddenSize, sizes);
    return { dense: around + dense, expert };
  }
  const ffn = shape.dense;
  const dense = ffn === undefined ? 0 : ffnParameters(ffn, shape.hiddenSize, sizes.tensorParallel);
  return { dense: around + dense, expert: 0 };
}

function normParameters({ hiddenSize, layerNormBias }: ModelShape): number {
  return layerNormBias ? 2 * hiddenSize : hiddenSize;
}

function sum({ dense, expert }: PartParameters): number {
  return dense + expert;
}
