/** One way to treat a layer's activations. */
export interface RecomputeOption {
  name: string;
  /** What it adds to the layer's backward. */
  extraBackwardMs: number;
  /** Kept from forward to backward, per micro-batch. */
  activationBytes: number;
  /** Held once while the layer runs backward; a stage needs its layers' largest. */
  workspaceBytes?: number | undefined;
}

export interface PartitionLayer {
  name: string;
  forwardMs: number;
  backwardMs: number;
  /** The part of backwardMs that zero-bubble schedules may put off. */
  weightGradMs?: number | undefined;
  /** The parts of forwardMs and backwardMs in which the GPU waits for others; DualPipeV hides them. */
  forwardCommunicationMs?: number | undefined;
  backwardCommunicationMs?: number | undefined;
  /** Weights, gradients, optimizer state. */
  staticBytes: number;
  options: readonly RecomputeOption[];
}

/** Layers to be cut into stages, each a contiguous interval of at least one. */
export interface PartitionProblem {
  stages: number;
  microBatches: number;
  /** Latency of one hop between neighbouring stages. */
  p2pMs: number;
  /** Of every stage, or one entry a stage. */
  memoryBytes: number | readonly number[];
  layers: readonly PartitionLayer[];
  /**
   * No free choice of options: the first so many layers of each stage take their
   * last option, the others their first. What `--recompute-method block` says.
   */
  recomputeFirst?: number | undefined;
  /** What the layers of any one stage may weigh at most, beside its memory. */
  mostStaticBytes?: number | undefined;
}

export interface PartitionStage {
  /** Zero-based, inclusive. */
  layers: [first: number, last: number];
  /** Name of the option of each layer. */
  recompute: string[];
  forwardMs: number;
  /** With recompute. */
  backwardMs: number;
  recomputeMs: number;
  inFlightMicroBatches: number;
  memoryBytes: number;
}

export interface PartitionSolution {
  stages: PartitionStage[];
  simulatedMs: number;
  /** No split and choice of options is faster than this. */
  boundMs: number;
  /** (simulatedMs − boundMs) / simulatedMs. */
  gap: number;
  simulations: number;
}

/** Nothing fits: the least memory that is missing, and where. */
export interface PartitionUnfit {
  missingBytes: number;
  reason: string;
}
