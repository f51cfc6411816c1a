import type { PartKind, PartTime, Placement, Workload } from "../workload.ts";
import { sendMs } from "./exchange.ts";
import { addExperts } from "./expert-work.ts";
import { TIME_FACTORS, type TimeFactors } from "./factors.ts";
import { ACCUMULATE_BYTES, plainGemmMs } from "./gemm.ts";
import {
  addAttention,
  addFeedForward,
  addPasses,
  addSurroundings,
  addTensorParallel,
} from "./layer-work.ts";
import { noWork, type PartWork } from "./part-work.ts";
import { type Rates, ratesOf } from "./rates.ts";

/**
 * Milliseconds of one part of the model for one micro-batch on one rank of a
 * placement, nothing recomputed, with what each way of recompute would add.
 * Layers of a kind are taken as alike; with sliding windows, as their mean.
 */
export function partTime(
  workload: Workload,
  placement: Placement,
  kind: PartKind,
  factors: TimeFactors = TIME_FACTORS,
): PartTime {
  const rates = ratesOf(workload, placement, factors);
  const work = noWork();
  if (kind === "embedding") addEmbedding(work, rates, workload, placement);
  else if (kind === "head") addHead(work, rates, workload, placement);
  else if (kind === "mtp") {
    const h = workload.model.hiddenSize;
    addLayer(work, rates, workload, placement, workload.model.moe === undefined ? "dense" : "moe");
    addFeedForward(work, rates, placement, h, h, false);
    addHead(work, rates, workload, placement);
  } else addLayer(work, rates, workload, placement, kind);
  return toPartTime(
    work,
    rates,
    kind !== "embedding" && kind !== "head",
    placement.tensorParallel > 1,
  );
}

/** The host launches a layer's kernels one by one: a rank cannot be faster than that. */
function toPartTime(
  work: PartWork,
  rates: Rates,
  isLayer: boolean,
  isTensorParallel: boolean,
): PartTime {
  const { layerHostMs, backwardHost, tensorParallelHostMs } = rates.stack;
  const hostMs = isLayer ? layerHostMs + (isTensorParallel ? tensorParallelHostMs : 0) : 0;
  const forwardMs = floored(work.forward, hostMs, work.forwardCollectiveHost);
  const backwardMs = floored(work.backward, hostMs * backwardHost, work.backwardCollectiveHost);
  return {
    forwardMs,
    backwardMs,
    weightGradMs: (work.weightGrad * backwardMs) / Math.max(work.backward, 1e-12),
    forwardCommunicationMs: work.forwardCommunication,
    backwardCommunicationMs: work.backwardCommunication,
    recomputeMs: { none: 0, selective: work.cheap, full: forwardMs },
  };
}

/**
 * The GPU's work or the host's, whichever is longer, rounded where they are near:
 * neither hides all of the other. Launches and collectives overlap less: they are
 * two threads of one process.
 */
function floored(workMs: number, launchMs: number, collectiveMs: number): number {
  const host = launchMs * launchMs + collectiveMs * collectiveMs;
  if (host === 0) return workMs;
  const work = workMs * workMs;
  return Math.sqrt(Math.sqrt(Math.sqrt(work ** 4 + host ** 4)));
}

function addLayer(
  work: PartWork,
  rates: Rates,
  workload: Workload,
  placement: Placement,
  kind: "dense" | "moe",
): void {
  const { model, sequenceLength } = workload;
  addAttention(work, rates, placement, model, sequenceLength, meanWindow(workload, kind));
  addSurroundings(work, rates, model);
  if (kind === "moe" && model.moe !== undefined) {
    addExperts(work, rates, workload, placement, model, model.moe);
  } else if (model.dense !== undefined) {
    addTensorParallel(work, rates, placement, model.hiddenSize);
    const { hiddenSize, gated } = model.dense;
    addFeedForward(work, rates, placement, model.hiddenSize, hiddenSize, gated);
  }
}

/** The window whose mean keys are those of the kind's layers; undefined for full attention. */
function meanWindow(
  { model, sequenceLength: s }: Workload,
  kind: "dense" | "moe",
): number | undefined {
  let keys = 0;
  let count = 0;
  let isWindowed = false;
  for (const layer of model.layers) {
    if (layer.kind !== kind) continue;
    const window = Math.min(layer.window ?? s, s);
    if (window < s) isWindowed = true;
    keys += window - window ** 2 / (2 * s);
    count++;
  }
  if (!isWindowed) return undefined;
  // Solves w − w²/2s = mean for w.
  return s * (1 - Math.sqrt(Math.max(0, 1 - (2 * keys) / (count * s))));
}

/** Lookup, its scattered gradient, and the tensor-parallel collective behind it. */
function addEmbedding(
  work: PartWork,
  rates: Rates,
  { model: { hiddenSize } }: Workload,
  placement: Placement,
): void {
  addPasses(work, rates, 3 * rates.width * rates.tokens * hiddenSize, false);
  addTensorParallel(work, rates, placement, hiddenSize / 2, 1, 1);
}

/** Final norm, logits over the tensor-parallel vocabulary, cross-entropy. */
function addHead(
  work: PartWork,
  rates: Rates,
  { model: { hiddenSize, vocabSize } }: Workload,
  placement: Placement,
): void {
  const columns = vocabSize / placement.tensorParallel;
  const once = plainGemmMs(rates, rates.tokens, hiddenSize, columns);
  const sum = (hiddenSize * columns * ACCUMULATE_BYTES) / rates.elementwise;
  const loss = (rates.stack.lossBytes * rates.tokens * columns) / rates.elementwise;
  work.forward += once + loss / 2;
  work.backward += 2 * once + sum + loss / 2;
  work.weightGrad += once + sum;
  addPasses(work, rates, 4 * rates.width * rates.ownTokens * hiddenSize, true);
  // The loss reduces its maximum, its sum and the target's logit.
  addTensorParallel(work, rates, placement, hiddenSize / 2, 4, 2);
}

/** Milliseconds of one pipeline hop: the hidden states of a micro-batch, a tensor-parallel share each. */
export function hopMs(
  workload: Workload,
  placement: Placement,
  factors: TimeFactors = TIME_FACTORS,
): number {
  if (placement.pipelineParallel === 1) return 0;
  const rates = ratesOf(workload, placement, factors);
  const { tensorParallel, contextParallel, dataParallel } = placement;
  const bytes = rates.ownTokens * workload.model.hiddenSize * rates.width;
  const stride = tensorParallel * contextParallel * dataParallel;
  return rates.stack.exposedHop * sendMs(rates, stride, bytes) + rates.stack.hopMs;
}
