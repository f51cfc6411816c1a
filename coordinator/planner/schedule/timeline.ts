/** F forward, B whole backward, I gradient of the input alone, W gradient of the weights alone. */
export type PassKind = "F" | "B" | "I" | "W";

export interface TimelinePass {
  kind: PassKind | "optimizer";
  /** Model chunk of the rank; -1 for the optimizer. */
  chunk: number;
  /** Stage in model order; -1 for the optimizer. */
  stage: number;
  /** -1 for the optimizer. */
  microBatch: number;
  startMs: number;
  endMs: number;
  /** The part of a B or I that recomputes activations. */
  recomputeMs: number;
}

/** From `atMs` until the next step, `bytes` are held. */
export interface MemoryStep {
  atMs: number;
  bytes: number;
}

export interface TimelineRank {
  rank: number;
  /** In the order they run; only an overlapped forward and backward share their time. */
  passes: TimelinePass[];
  memory: MemoryStep[];
  peakBytes: number;
  /** Most forwards of any chunk kept for a later backward at once. */
  peakInFlight: number;
}

/**
 * Time in which the mean rank does not compute, optimizer apart, by cause. Each
 * part is in proportion to the bubble that one more fact of life adds, in this
 * order; none is below 0 and they sum to the total.
 */
export interface BubbleSplit {
  /** The same work spread evenly over the stages, no recompute, free communication. */
  idealMs: number;
  /** Added by unequal stages. */
  imbalanceMs: number;
  /** Added by waiting for recompute elsewhere. */
  recomputeMs: number;
  /** Added by hops between stages and by exposed communication inside passes. */
  communicationMs: number;
  totalMs: number;
}

/** One optimizer step of a pipeline. */
export interface Timeline {
  schedule: string;
  makespanMs: number;
  ranks: TimelineRank[];
  bubble: BubbleSplit;
}
