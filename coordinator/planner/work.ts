import { wantedRecompute } from "../spec/planning-defaults.ts";
import type { Job } from "../spec/schema.ts";
import { RECOMPUTE_KINDS, type RecomputeKind } from "./cost/workload.ts";
import type { LayoutSizes } from "./layout/sizes.ts";
import { shapeOfJob } from "./model/shape-of-job.ts";

/** FLOPs of one micro-batch on one rank. */
export interface Work {
  forward: number;
  /** Nothing recomputed. */
  backward: number;
  /** The part of `backward` that computes gradients of weights. */
  weightGrad: number;
  /** What each kind of recompute adds to `backward`. */
  recompute: Record<RecomputeKind, number>;
}

/** Work of every decoder layer and of what stands behind the last; the embedding is a lookup. */
export interface ModelWork {
  layers: Work[];
  /** Final projection on the vocabulary, with the loss. */
  head: Work;
}

/** Maximum, subtraction, exponential, sum and logarithm of each logit. */
const LOSS_FLOPS_PER_LOGIT = 5;

/**
 * Counts multiplications and additions as two FLOPs, attention scores causally
 * (half of them), experts at top-k times the capacity factor, whose slots are
 * computed whether or not they are filled. A backward pass is two forward
 * passes, of which one computes gradients of weights where there are any; full
 * recompute adds one more, selective recompute the scores alone, since activation
 * functions and norms are no matrix products.
 *
 * Sequence parallelism splits gate, norms and head over TP by tokens, so all of
 * a layer's work is 1/(TP·CP), however its experts are folded; only key-value
 * heads repeat when TP is larger than their number.
 */
export function modelWork(job: Job, sizes: LayoutSizes, microBatchSize: number): ModelWork {
  const { model, moe, training } = job;
  const { hiddenSize } = model;
  const tokens = (microBatchSize * training.sequenceLength) / sizes.contextParallel;
  const tensor = sizes.tensorParallel;
  const queryHeads = model.heads / tensor;
  const kvHeads = Math.max(1, model.kvHeads / tensor);
  const projections = 2 * hiddenSize * model.headDim * 2 * (queryHeads + kvHeads);
  const scores = 2 * training.sequenceLength * queryHeads * model.headDim;
  const ffn = (width: number) => (6 * hiddenSize * width) / tensor;
  const slots = moe.capacityFactor === "dropless" ? 1 : moe.capacityFactor;
  const gate = (2 * hiddenSize * moe.experts) / tensor;
  const experts = moe.topK * slots * ffn(model.ffnHiddenSize);
  const shared = ffn(model.sharedFfnHiddenSize ?? 0);
  const feedForward = {
    moe: gate + experts + shared,
    dense: ffn(model.denseFfnHiddenSize ?? model.ffnHiddenSize),
  };
  const logits = (tokens * model.vocabSize) / tensor;
  const project = logits * 2 * hiddenSize;
  return {
    layers: shapeOfJob(job).layers.map(({ kind }) =>
      workOf(tokens * (projections + feedForward[kind]), tokens * scores),
    ),
    head: { ...workOf(project, logits * LOSS_FLOPS_PER_LOGIT), recompute: recomputing(0, 0) },
  };
}

/** @param weighted FLOPs of products with weights; `other` have no weights to find gradients of */
function workOf(weighted: number, other: number): Work {
  const forward = weighted + other;
  return {
    forward,
    backward: 2 * forward,
    weightGrad: weighted,
    recompute: recomputing(other, forward),
  };
}

function recomputing(selective: number, full: number): Work["recompute"] {
  return { none: 0, selective, full };
}

/** The kinds of recompute that each layer may get, as the job fixes or leaves them. */
export function recomputeOf(job: Job): (readonly RecomputeKind[])[] {
  const recompute = wantedRecompute(job);
  const wanted = Array.isArray(recompute)
    ? recompute
    : Array.from({ length: job.model.layers }, () => recompute);
  return wanted.map((kind) => (kind === "auto" ? RECOMPUTE_KINDS : [kind]));
}
