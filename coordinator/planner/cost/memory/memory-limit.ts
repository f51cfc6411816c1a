import type { Cluster } from "../../hardware/cluster.ts";
import type { Placement, Workload } from "../workload.ts";
import {
  COMMUNICATOR_BYTES,
  CONTEXT_BYTES,
  FRAGMENTATION,
  MATRIX_WORKSPACE_BYTES,
  MOST_OVERHEAD_SHARE,
} from "./factors.ts";

/** Groups that a rank can belong to: tensor, pipeline, data with context, expert. */
const MOST_COMMUNICATORS = 4;

/** Bytes that the GPU's caching allocator holds for this many allocated, without context and NCCL. */
export function allocatorBytes(allocatedBytes: number): number {
  return allocatedBytes * (1 + FRAGMENTATION);
}

/**
 * Bytes that a GPU shows as used when this many are allocated at the peak: the
 * caching allocator's leftovers, the CUDA context, and NCCL's buffers by
 * communicator.
 */
export function reservedBytes(
  workload: Workload,
  placement: Placement,
  allocatedBytes: number,
): number {
  const groups = [
    placement.tensorParallel,
    placement.pipelineParallel,
    placement.dataParallel * placement.contextParallel,
    placement.expertParallel * placement.expertTensorParallel,
  ].filter((size) => size > 1).length;
  const { cluster } = workload;
  return heldShare(cluster) * allocatedBytes + overheadBytes(cluster, groups);
}

/**
 * Allocated bytes that fit one GPU of the cluster, less what is kept free: the
 * inverse of reservedBytes, with as many communicators as a layout can have.
 */
export function memoryLimitBytes(cluster: Cluster, reserveBytes = 0): number {
  const usable =
    cluster.accelerator.memoryBytes - reserveBytes - overheadBytes(cluster, MOST_COMMUNICATORS);
  return Math.max(0, usable / heldShare(cluster));
}

/** Bytes held for one that is allocated. */
function heldShare({ accelerator }: Cluster): number {
  return 1 + (accelerator.process?.heapShare ?? FRAGMENTATION);
}

/** Context, cuBLAS and communicators, or what a process on a CPU has instead. */
function overheadBytes({ accelerator }: Cluster, communicators: number): number {
  if (accelerator.process !== undefined) return accelerator.process.bytes;
  return Math.min(
    CONTEXT_BYTES + MATRIX_WORKSPACE_BYTES + communicators * COMMUNICATOR_BYTES,
    MOST_OVERHEAD_SHARE * accelerator.memoryBytes,
  );
}
