import type { Cluster, Precision } from "../hardware/cluster.ts";
import type { LayoutSizes } from "../layout/sizes.ts";
import type { ModelShape } from "../model/model-shape.ts";

/** Where the optimizer's state, gradients and weights lie. */
export type OptimizerSharding = "none" | "zero1" | "fsdp";

/** Recompute of one layer: nothing, norms and activation functions, or all of it. */
export const RECOMPUTE_KINDS = ["none", "selective", "full"] as const;
export type RecomputeKind = (typeof RECOMPUTE_KINDS)[number];

/**
 * The software whose kernels and habits are predicted: `moestro` (our engine,
 * like Megatron in what is fused and kept), `megatron`, `nanotron`, and `vtrain`
 * (Megatron-DeepSpeed of 2022 without flash attention).
 */
export type Stack = "moestro" | "megatron" | "nanotron" | "vtrain";

/** What is trained, on what, and how, apart from the layout. */
export interface Workload {
  model: ModelShape;
  cluster: Cluster;
  sequenceLength: number;
  /** Sequences in one optimizer step. */
  globalBatchSize: number;
  precision: Precision;
  /** Slots per expert over its even share, all computed; or no limit. */
  capacityFactor: number | "dropless";
  /** Tokens of the busiest rank over the mean; 1 when balance is forced. */
  imbalance: number;
  optimizerSharding: OptimizerSharding;
  stack: Stack;
}

/** A layout with its batch cut up: everything a rank's cost depends on. */
export interface Placement extends LayoutSizes {
  expertDataParallel: number;
  virtualPipeline: number;
  /** Sequences. */
  microBatchSize: number;
}

/** Parts of a model that are cut into stages: decoder layers and what stands around them. */
export type PartKind = "embedding" | "dense" | "moe" | "mtp" | "head";

/** Time of one part for one micro-batch on one rank, nothing recomputed. */
export interface PartTime {
  forwardMs: number;
  /** Gradients of inputs and weights. */
  backwardMs: number;
  /** The share of backwardMs that zero-bubble schedules may put off. */
  weightGradMs: number;
  /** Communication within forwardMs and backwardMs (TP, CP, EP), as far as it is not hidden. */
  forwardCommunicationMs: number;
  backwardCommunicationMs: number;
  /** What recompute adds to backward; full repeats the all-to-all. */
  recomputeMs: Record<RecomputeKind, number>;
}

/** Memory of one part on one rank. */
export interface PartMemory {
  /** Weights, gradients and optimizer state, after sharding. */
  staticBytes: number;
  /** Kept from forward to backward for one micro-batch. */
  activationBytes: Record<RecomputeKind, number>;
  /** Held once, while the part runs backward (with what recompute brings back). */
  workspaceBytes: Record<RecomputeKind, number>;
}

/** Parameters of one part on one rank, by who reduces their gradients. */
export interface PartParameters {
  /** Reduced over DP·CP. */
  dense: number;
  /** Reduced over the expert-data-parallel ranks. */
  expert: number;
}
