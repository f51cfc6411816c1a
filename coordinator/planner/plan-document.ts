import type { OptimizerSharding, RecomputeKind } from "./cost/workload.ts";
import type { LayoutSizes, SchemeName } from "./layout/sizes.ts";
import type { ModelShape } from "./model/model-shape.ts";

export type ScheduleName = "gpipe" | "1f1b" | "interleaved" | "zero-bubble" | "dualpipev";

/** A full choice: sizes, batch cut, schedule. */
export interface PlannedLayout extends LayoutSizes {
  scheme: SchemeName;
  expertDataParallel: number;
  virtualPipeline: number;
  rankOrder: string;
  /** Sequences. */
  microBatchSize: number;
  numMicroBatches: number;
  schedule: ScheduleName;
  optimizerSharding: OptimizerSharding;
}

/** One model chunk. Chunk c of pipeline rank r is stage c·PP + r (DualPipeV walks back: V). */
export interface PlannedStage {
  stage: number;
  pipelineRank: number;
  chunk: number;
  /** Decoder layers, zero-based, inclusive; null when it holds none. */
  layers: [first: number, last: number] | null;
  hasEmbedding: boolean;
  hasHead: boolean;
  mtpLayers: number;
  /** One entry a decoder layer. */
  recompute: RecomputeKind[];
  forwardMs: number;
  /** With recompute. */
  backwardMs: number;
  /** The part of backwardMs that computes gradients of weights. */
  weightGradMs: number;
  recomputeMs: number;
  /** The parts of forwardMs and backwardMs that wait for other GPUs. */
  forwardCommunicationMs: number;
  backwardCommunicationMs: number;
  /** Most micro-batches alive at once. */
  inFlightMicroBatches: number;
  /** Peak of this chunk: static + in flight + workspace. */
  memoryBytes: number;
  staticBytes: number;
  /** Of one micro-batch. */
  activationBytes: number;
  /** Held while a backward runs; the chunks of a rank share it. */
  workspaceBytes: number;
}

export interface Predicted {
  stepTimeMs: number;
  tokensPerSecondPerGpu: number;
  /** 0..1. */
  mfu: number;
  mfuConvention: string;
  /** Peak of each pipeline rank. */
  memoryBytesPerStage: number[];
  /** Latency of one pipeline hop. */
  hopMs: number;
  /** Of the GPU, after the reserve. */
  memoryLimitBytes: number;
  /** Where the step's time goes on the mean rank, in ms; sums to stepTimeMs. */
  breakdown: {
    computeMs: number;
    recomputeMs: number;
    communicationMs: number;
    idealBubbleMs: number;
    imbalanceBubbleMs: number;
    recomputeBubbleMs: number;
    communicationBubbleMs: number;
    optimizerMs: number;
  };
}

export interface Certificate {
  simulatedMs: number;
  boundMs: number;
  /** (simulated − bound) / simulated. */
  gap: number;
  /** What the bound covers, in one sentence. */
  covers: string;
}

export interface PlanChoice {
  layout: PlannedLayout;
  stages: PlannedStage[];
  predicted: Predicted;
  certificate: Certificate;
}

/** `moestro plan --json`. */
export interface PlanDocument {
  job: string;
  model: {
    name: string;
    layers: number;
    hiddenSize: number;
    heads: number;
    kvHeads: number;
    headDim: number;
    vocabSize: number;
    experts: number;
    topK: number;
    totalParameters: number;
    activeParameters: number;
    /** Every size of the model, for exports that name them. */
    shape?: ModelShape | undefined;
  };
  cluster: { name: string; gpus: number; nodes: number; gpusPerNode: number; origin: string };
  batch: {
    sequenceLength: number;
    globalBatchSize: number;
    precision: string;
    capacityFactor: number | "dropless";
    imbalance: number;
  };
  /** What the job left no choice of, by name: sizes, stages, recompute, schedule, micro-batch. */
  fixed?: Record<string, string> | undefined;
  best: PlanChoice;
  /** Different in kind from the best and each other. */
  alternatives: PlanChoice[];
  baselines: {
    /** The best plan with equally long stages and one recompute setting for all. */
    uniform: PlanChoice | null;
    edp: PlanChoice | null;
    ep: PlanChoice | null;
    etp: PlanChoice | null;
    /** The best plan that no software is asked to express; absent where none was named. */
    unrestricted?: PlanChoice | undefined;
  };
  sensitivity: { what: string; change: string; stepTimeMs: number; changeOfStep: number }[];
  reasons: string[];
  search: { candidates: number; pruned: number; evaluated: number; ms: number };
}
