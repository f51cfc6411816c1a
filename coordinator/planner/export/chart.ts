/** What a block of a schedule is; recompute lies within its backward. */
export const BLOCK_KINDS = ["forward", "backward", "weight-grad", "optimizer"] as const;
export type BlockKind = (typeof BLOCK_KINDS)[number];

/** Something that a pipeline rank does, from startMs to endMs of the step. */
export interface ChartBlock {
  kind: BlockKind;
  chunk: number;
  /** −1 when it belongs to none. */
  microBatch: number;
  startMs: number;
  endMs: number;
  /** The part of a backward, at its start, that brings activations back; 0 for none. */
  recomputeMs: number;
}

/** One pipeline rank's row: blocks by time, none over another, and memory as steps. */
export interface ChartRank {
  rank: number;
  blocks: ChartBlock[];
  /** Bytes in use from each time on. */
  memory: { atMs: number; bytes: number }[];
}

/** A schedule as it is drawn and traced. */
export interface Chart {
  spanMs: number;
  ranks: ChartRank[];
}
