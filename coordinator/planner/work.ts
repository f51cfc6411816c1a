import type { Job } from "../spec/schema.ts";
import type { LayoutSizes } from "./layout/sizes.ts";

/** FLOPs of one micro-batch on one rank. */
export interface Work {
  forward: number;
  backward: number;
}

/** Work of a decoder layer and of what stands before and after the layers. */
export interface ModelWork {
  /** One entry a layer; differs only in what is recomputed. */
  layers: Work[];
  embedding: Work;
  /** Final projection on the vocabulary, with the loss. */
  head: Work;
}

/** Maximum, subtraction, exponential, sum and logarithm of each logit. */
const LOSS_FLOPS_PER_LOGIT = 5;

/**
 * Counts multiplications and additions as two FLOPs, attention scores causally
 * (half of them), experts at top-k times the capacity factor, whose slots are
 * computed whether or not they are filled. A backward pass is two forward
 * passes, and one more when the layer is recomputed. The embedding is a lookup.
 *
 * Sequence parallelism splits gate, norms and head over TP by tokens, so all of
 * a layer's work is 1/(TP·CP); only key-value heads repeat when TP is larger
 * than their number.
 */
export function modelWork(job: Job, sizes: LayoutSizes, microBatchSize: number): ModelWork {
  const { model, moe, training } = job;
  const tokens = (microBatchSize * training.sequenceLength) / sizes.contextParallel;
  const tensor = sizes.tensorParallel;
  const queryHeads = model.heads / tensor;
  const kvHeads = Math.max(1, model.kvHeads / tensor);
  const projections = 2 * model.hiddenSize * model.headDim * 2 * (queryHeads + kvHeads);
  const scores = 2 * training.sequenceLength * queryHeads * model.headDim;
  const gate = (2 * model.hiddenSize * moe.experts) / tensor;
  const slots = moe.capacityFactor === "dropless" ? 1 : moe.capacityFactor;
  const experts = (moe.topK * slots * 6 * model.hiddenSize * model.ffnHiddenSize) / tensor;
  const forward = tokens * (projections + scores + gate + experts);
  const logits = (tokens * model.vocabSize) / tensor;
  const head = logits * (2 * model.hiddenSize + LOSS_FLOPS_PER_LOGIT);
  return {
    layers: recomputeOf(job).map((recompute) => ({
      forward,
      backward: (recompute === "full" ? 3 : 2) * forward,
    })),
    embedding: { forward: 0, backward: 0 },
    head: { forward: head, backward: 2 * head },
  };
}

/**
 * What each layer recomputes in its backward pass, as the job fixes it. The engine
 * recomputes whole layers or nothing; what is left open is nothing.
 */
export function recomputeOf(job: Job): ("none" | "full")[] {
  const recompute = job.layout === "auto" ? "none" : job.layout.recompute;
  const wanted = Array.isArray(recompute)
    ? recompute
    : Array.from({ length: job.model.layers }, () => recompute);
  return wanted.map((kind) => (kind === "full" ? "full" : "none"));
}
