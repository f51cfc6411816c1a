import type { ModelShape } from "../../model/model-shape.ts";
import type { Placement } from "../workload.ts";
import { ringMs } from "./exchange.ts";
import { ACCUMULATE_BYTES, gemmMs } from "./gemm.ts";
import type { PartWork } from "./part-work.ts";
import type { Rates } from "./rates.ts";

/** A product of a layer and the two of its backward, with the gradient's sum in fp32. */
export function addProduct(
  work: PartWork,
  rates: Rates,
  m: number,
  k: number,
  n: number,
  count = 1,
): void {
  const once = gemmMs(rates, m, k, n, count);
  const sum = (count * k * n * ACCUMULATE_BYTES) / rates.elementwise;
  work.forward += once;
  work.backward += 2 * once + sum;
  work.weightGrad += once + sum;
}

/** Elementwise reads and writes: once forward, about twice backward. */
export function addPasses(work: PartWork, rates: Rates, bytes: number, isCheap: boolean): void {
  const once = bytes / rates.elementwise;
  work.forward += once;
  work.backward += 2 * once;
  if (isCheap) work.cheap += once;
}

/**
 * Gather before a tensor-parallel block and scatter behind it, both ways;
 * backward gathers the block's input once more, for the weights' gradients.
 */
export function addTensorParallel(
  work: PartWork,
  rates: Rates,
  { tensorParallel }: Placement,
  hiddenSize: number,
  forwardCalls = 2,
  backwardCalls = 3,
): void {
  if (tensorParallel === 1) return;
  const pair = 2 * ringMs(rates, tensorParallel, 1, rates.tokens * hiddenSize * rates.width);
  const back = pair * rates.stack.exposedTensorParallel;
  work.forward += pair;
  work.backward += back;
  work.forwardCommunication += pair;
  work.backwardCommunication += back;
  work.forwardCollectiveHost += forwardCalls * tensorParallel * rates.collectiveRankMs;
  work.backwardCollectiveHost += backwardCalls * tensorParallel * rates.collectiveRankMs;
}

/** Attention of one layer: projections, scores and values, TP and CP communication. */
export function addAttention(
  work: PartWork,
  rates: Rates,
  placement: Placement,
  model: ModelShape,
  sequenceLength: number,
  window: number | undefined,
): void {
  const { tensorParallel: tp, contextParallel: cp } = placement;
  const { attention, hiddenSize: h } = model;
  const { tokens, width } = rates;
  const heads = attention.heads / tp;
  let keyValueWidth: number;
  let scoreWidth: number;
  let rotated: number;
  if (attention.kind === "gqa") {
    const kv = Math.max(1, attention.kvHeads / tp) * attention.headDim;
    const q = heads * attention.headDim;
    addProduct(work, rates, tokens, h, q + 2 * kv);
    addProduct(work, rates, tokens, q, h);
    keyValueWidth = 2 * kv;
    scoreWidth = 2 * attention.headDim;
    rotated = (q + kv) * (attention.qkNorm ? 2 : 1);
  } else {
    const { qLoraRank, kvLoraRank, qkNopeHeadDim: nope, qkRopeHeadDim: rope, vHeadDim } = attention;
    const q = heads * (nope + rope);
    if (qLoraRank === undefined) {
      addProduct(work, rates, tokens, h, q);
    } else {
      addProduct(work, rates, rates.ownTokens, h, qLoraRank);
      addProduct(work, rates, tokens, qLoraRank, q);
    }
    addProduct(work, rates, rates.ownTokens, h, kvLoraRank + rope);
    addProduct(work, rates, tokens, kvLoraRank, heads * (nope + vHeadDim));
    addProduct(work, rates, tokens, heads * vHeadDim, h);
    keyValueWidth = heads * (nope + rope + vHeadDim);
    scoreWidth = nope + rope + vHeadDim;
    // Keys and queries are put together from their two halves.
    rotated = 3 * q;
  }
  addPasses(work, rates, 2 * width * tokens * rotated, false);
  const before = work.forward;
  addScores(work, rates, heads, scoreWidth, sequenceLength, window);
  const scoresMs = work.forward - before;
  addTensorParallel(work, rates, placement, h);
  if (cp > 1) {
    // Keys and values walk the ring behind the scores of the block before.
    const round = ((cp - 1) / cp) * ringMs(rates, cp, tp, tokens * cp * keyValueWidth * width);
    const first = round / (cp - 1);
    const exposed = first + Math.max(0, round - scoresMs);
    work.forward += exposed;
    work.backward += 2 * exposed;
    work.forwardCommunication += exposed;
    work.backwardCommunication += 2 * exposed;
  }
}

/** Scores, softmax and values; causal halves are skipped by flash attention alone. */
function addScores(
  work: PartWork,
  rates: Rates,
  heads: number,
  scoreWidth: number,
  sequenceLength: number,
  window: number | undefined,
): void {
  const { stack, tokens } = rates;
  const isFlash = stack.scorePasses === 0;
  const keys =
    window !== undefined && window < sequenceLength
      ? window - window ** 2 / (2 * sequenceLength)
      : sequenceLength / 2;
  if (isFlash) {
    const once = (2 * tokens * heads * scoreWidth * keys) / rates.attentionFlops;
    work.forward += once;
    work.backward += 2.5 * once;
    return;
  }
  const once = (4 * tokens * heads * scoreWidth * keys) / rates.plainFlops;
  const passes =
    (stack.scorePasses * rates.width * tokens * heads * sequenceLength) / rates.elementwise;
  work.forward += once + passes;
  work.backward += 2 * once + passes;
  work.cheap += passes;
}

/** Norms, residuals and dropouts around a layer's two blocks. */
export function addSurroundings(work: PartWork, rates: Rates, { hiddenSize }: ModelShape): void {
  addPasses(
    work,
    rates,
    rates.stack.layerPasses * rates.width * rates.ownTokens * hiddenSize,
    true,
  );
}

/** A dense feed-forward block split over TP. */
export function addFeedForward(
  work: PartWork,
  rates: Rates,
  placement: Placement,
  hiddenSize: number,
  ffnHiddenSize: number,
  isGated: boolean,
): void {
  const f = ffnHiddenSize / placement.tensorParallel;
  addProduct(work, rates, rates.tokens, hiddenSize, isGated ? 2 * f : f);
  addProduct(work, rates, rates.tokens, f, hiddenSize);
  addPasses(work, rates, rates.stack.activationPasses * rates.width * rates.tokens * f, true);
}
