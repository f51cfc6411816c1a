import type { Job, Model } from "../../spec/schema.ts";
import type { LayoutSizes } from "../layout/sizes.ts";

/** Weights of the model's parts, in numbers, not bytes. */
export interface ParameterCounts {
  total: number;
  /** What one token passes through: top-k experts, and all the rest. */
  active: number;
}

/**
 * Counts every weight: h·(2·heads + 2·kvHeads)·headDim of attention, a gate of
 * h·n and its n biases, n experts of 3·h·f, two norms a layer and one at the
 * end, embedding and head (once when tied).
 */
export function countParameters(model: Model, moe: Job["moe"]): ParameterCounts {
  const { layers, hiddenSize, vocabSize } = model;
  const outside = (model.tiedEmbeddings ? 1 : 2) * vocabSize * hiddenSize + hiddenSize;
  const shared = attentionWeights(model, 1) + gateAndNorms(model, moe);
  const expert = expertWeights(model);
  return {
    total: layers * (shared + moe.experts * expert) + outside,
    active: layers * (shared + moe.topK * expert) + outside,
  };
}

/**
 * Weights one rank of a stage holds. Norms, gate, embedding and head are whole
 * on every rank; attention is split over TP, experts over EP and ETP. A
 * key-value head is never split, so TP beyond their number repeats them.
 */
export function countRankParameters(
  model: Model,
  moe: Job["moe"],
  sizes: LayoutSizes,
  stage: { numLayers: number; hasEmbedding: boolean; hasHead: boolean },
): number {
  const experts = moe.experts / sizes.expertParallel;
  const layer =
    attentionWeights(model, sizes.tensorParallel) +
    gateAndNorms(model, moe) +
    (experts * expertWeights(model)) / sizes.expertTensorParallel;
  const table = model.vocabSize * model.hiddenSize;
  const isShared = model.tiedEmbeddings && stage.hasEmbedding;
  const embedding = stage.hasEmbedding ? table : 0;
  const head = stage.hasHead ? (isShared ? 0 : table) + model.hiddenSize : 0;
  return stage.numLayers * layer + embedding + head;
}

function attentionWeights(model: Model, tensorParallel: number): number {
  const queryHeads = model.heads / tensorParallel;
  const kvHeads = Math.max(1, model.kvHeads / tensorParallel);
  return model.hiddenSize * model.headDim * 2 * (queryHeads + kvHeads);
}

function gateAndNorms(model: Model, moe: Job["moe"]): number {
  return (model.hiddenSize + 1) * moe.experts + 2 * model.hiddenSize;
}

function expertWeights(model: Model): number {
  return 3 * model.hiddenSize * model.ffnHiddenSize;
}
