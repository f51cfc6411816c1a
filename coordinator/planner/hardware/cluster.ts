export type Precision = "fp32" | "bf16" | "fp8";

/** One GPU (or CPU rank) as its vendor gives it, or as it was measured. */
export interface Accelerator {
  name: string;
  memoryBytes: number;
  /**
   * Where a rank's memory is its process's: what that holds without tensors, and the
   * share that the heap holds beyond them. GPUs have the memory model's figures.
   */
  process?: { bytes: number; heapShare: number } | undefined;
  /** Bytes a second of the device's memory. */
  memoryBandwidth: number;
  /** Dense FLOP/s by precision; a precision that is absent cannot be used. */
  peakFlops: { [precision in Precision]?: number };
  /** Share of the peak that large GEMMs reach, by precision; calibrated or probed. */
  achievable: { [precision in Precision]?: number };
}

/**
 * How fast one rank's data moves over a link, as a piecewise curve: NCCL changes
 * protocol with size, so no single latency and bandwidth fits.
 */
export interface Link {
  /** Milliseconds that the smallest message takes. */
  latencyMs: number;
  /**
   * Message sizes in bytes, ascending, and bytes a second per GPU, one
   * direction, reached at each; interpolated between in the logarithm of the size.
   */
  curve: readonly (readonly [bytes: number, bytesPerSecond: number])[];
  /** All-reduce's rate over the curve's where switches add up (NVLink SHARP); 1 when absent. */
  allReduceGain?: number | undefined;
}

export interface Cluster {
  name: string;
  accelerator: Accelerator;
  nodes: number;
  gpusPerNode: number;
  /** Between GPUs of a node (or of an NVLink domain). */
  intra: Link;
  /** Between nodes. */
  inter: Link;
  /**
   * Milliseconds that a rank's host spends on a collective for each rank of its
   * group, while the GPU goes on; measured, 0 when absent.
   */
  collectiveRankMs?: number | undefined;
  /** GPUs that `intra` joins; gpusPerNode unless NVLink spans nodes (GB200 NVL72). */
  gpusPerDomain: number;
  /** Where its numbers come from: "preset", "file" or "probe". */
  origin: "preset" | "file" | "probe";
  /** For a probed machine: measured layer times that override the formulas; free-form, owned by cost/. */
  measured?: unknown;
}
