import type { LatentAttention, ModelShape } from "../../model/model-shape.ts";
import type { Placement, Workload } from "../workload.ts";
import { ACTIVATION_BYTES, MATRIX_INPUT_BYTES, type MemoryFactors } from "./factors.ts";

/** Bytes that a layer keeps for one micro-batch, by what brings them back. */
export interface Kept {
  /** The layer's input: all that full recompute keeps. */
  input: number;
  /** Outputs of matrices and attention, and what is as dear. */
  dear: number;
  /** Outputs of norms and activation functions: selective recompute drops them. */
  cheap: number;
  /** On top of what is kept while the layer runs backward. */
  transient: number;
}

/** Sizes that every formula needs. */
export interface Sizes {
  /** Tokens of a micro-batch on one context-parallel rank. */
  tokens: number;
  /** Of these, the ones whose norms this rank computes. */
  tokensOfRank: number;
  /** Of these, the ones whose norms it keeps where the whole sequence was gathered behind them. */
  gatheredTokens: number;
  /** Bytes of an activation and of a matrix's input. */
  bytes: number;
  inputBytes: number;
  tp: number;
}

export function sizesOf(workload: Workload, placement: Placement, factors: MemoryFactors): Sizes {
  const { tensorParallel: tp, contextParallel, microBatchSize } = placement;
  const tokens = (microBatchSize * workload.sequenceLength) / contextParallel;
  return {
    tokens,
    tokensOfRank: factors.sequenceParallel ? tokens / tp : tokens,
    gatheredTokens: factors.sequenceParallel && !factors.keepsGathered ? tokens / tp : tokens,
    bytes: ACTIVATION_BYTES[workload.precision],
    inputBytes: MATRIX_INPUT_BYTES[workload.precision],
    tp,
  };
}

/** Norm, attention and its output projection (Korthikanti et al. 2205.05198, section 4.1, with flash attention). */
export function attentionKept(workload: Workload, factors: MemoryFactors, sizes: Sizes): Kept {
  const { model } = workload;
  const { tokens, tokensOfRank, gatheredTokens, bytes, inputBytes, tp } = sizes;
  const input = bytes * model.hiddenSize * tokensOfRank;
  const normed = inputBytes * model.hiddenSize * gatheredTokens;
  const { heads, inner, outputs, latent } =
    model.attention.kind === "mla"
      ? latentWidths(model.attention)
      : groupedWidths(model.attention, tp, factors);
  const logSumExp = (4 * tokens * heads) / tp;
  const scores = factors.flashAttention
    ? 0
    : ((2 * bytes + 1) * workload.sequenceLength * tokens * heads) / tp;
  const wide = (bytes * (inner + outputs) * tokens) / tp;
  // In fp8 the output projection reads a copy of what attention keeps in bf16.
  const copied = inputBytes < bytes ? (inputBytes * outputs * tokens) / tp : 0;
  return {
    input,
    dear: wide + copied + bytes * latent * tokensOfRank + logSumExp + scores,
    cheap: normed + inputBytes * latent * tokensOfRank,
    transient: wide + bytes * model.hiddenSize * tokens,
  };
}

/** Widths over all heads: what attention reads, what it gives, the compressed vectors. */
function groupedWidths(
  attention: Extract<ModelShape["attention"], { kind: "gqa" }>,
  tp: number,
  factors: MemoryFactors,
) {
  const { heads, headDim } = attention;
  const kvHeads = Math.max(attention.kvHeads, tp);
  const rotated = (heads + kvHeads) * headDim;
  const inner = rotated * (factors.keepsUnrotated || attention.qkNorm ? 2 : 1) + kvHeads * headDim;
  return { heads, inner, outputs: heads * headDim, latent: 0 };
}

function latentWidths(attention: LatentAttention) {
  const { heads, qkNopeHeadDim, qkRopeHeadDim, vHeadDim } = attention;
  const inner = heads * (2 * (qkNopeHeadDim + qkRopeHeadDim) + vHeadDim);
  const latent = (attention.qLoraRank ?? 0) + attention.kvLoraRank + qkRopeHeadDim;
  return { heads, inner, outputs: heads * vHeadDim, latent };
}

/** Norm and a dense FFN. */
export function denseKept(workload: Workload, factors: MemoryFactors, sizes: Sizes): Kept {
  const { model } = workload;
  const ffn = model.dense;
  const norm = normKept(model, sizes, sizes.gatheredTokens);
  if (ffn === undefined) return norm;
  return addKept(norm, ffnKept(ffn.hiddenSize, ffn.gated, sizes.tokens / sizes.tp, factors, sizes));
}

/** Norm, router, dispatch, experts on the tokens sent here, and the shared expert. */
export function moeKept(
  workload: Workload,
  placement: Placement,
  factors: MemoryFactors,
  sizes: Sizes,
): Kept {
  const { model } = workload;
  const { moe } = model;
  let kept = normKept(model, sizes, sizes.tokensOfRank);
  if (moe === undefined) return kept;
  const { tokens, tokensOfRank, bytes, inputBytes, tp } = sizes;
  const etp = placement.expertTensorParallel;
  const slots =
    workload.capacityFactor === "dropless" ? workload.imbalance : workload.capacityFactor;
  const routed = (tokens / tp) * moe.topK * slots * etp;
  const width = model.hiddenSize;
  kept = addKept(kept, ffnKept(moe.ffn.hiddenSize, moe.ffn.gated, routed / etp, factors, sizes));
  if (moe.sharedFfnHiddenSize > 0) {
    kept = addKept(kept, ffnKept(moe.sharedFfnHiddenSize, true, tokens / tp, factors, sizes));
    kept.cheap += gatheredBesideSlices(model.hiddenSize, factors, sizes);
  }
  const routing = tokensOfRank * moe.experts * (4 + 4 + 1);
  const dispatched = inputBytes * width * routed;
  const combined = factors.keepsExpertOutput ? bytes * width * routed : 0;
  return {
    ...kept,
    dear: kept.dear + routing + dispatched + combined,
    transient: kept.transient + 2 * bytes * width * routed,
  };
}

/** The norm's input, and its output for so many tokens. */
function normKept(model: ModelShape, sizes: Sizes, keptTokens: number): Kept {
  const { tokens, tokensOfRank, bytes, inputBytes } = sizes;
  return {
    input: 0,
    dear: bytes * model.hiddenSize * tokensOfRank,
    cheap: inputBytes * model.hiddenSize * keptTokens,
    transient: bytes * model.hiddenSize * tokens,
  };
}

/** Shared experts read the whole sequence, routed ones the rank's slice: both are kept. */
function gatheredBesideSlices(width: number, factors: MemoryFactors, sizes: Sizes): number {
  const gathers = factors.keepsGathered && factors.sequenceParallel && sizes.tp > 1;
  return gathers ? sizes.inputBytes * width * sizes.tokens : 0;
}

/** An FFN of this width on `rows` tokens' whole width: the pre-activations and the second matrix's input. */
function ffnKept(
  width: number,
  gated: boolean,
  rows: number,
  factors: MemoryFactors,
  { bytes, inputBytes }: Sizes,
): Kept {
  const first = bytes * (gated ? 2 : 1) * width * rows;
  const unfused = gated && !factors.fusedActivation ? bytes * width * rows : 0;
  return {
    input: 0,
    dear: first,
    cheap: inputBytes * width * rows + unfused,
    transient: first + bytes * width * rows,
  };
}

/** Parts of one layer: kept together, transient one after the other. */
export function addKept(a: Kept, b: Kept): Kept {
  return {
    input: a.input + b.input,
    dear: a.dear + b.dear,
    cheap: a.cheap + b.cheap,
    transient: Math.max(a.transient, b.transient),
  };
}
