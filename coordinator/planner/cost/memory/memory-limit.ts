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

/** Bytes that the caching allocator holds for this many allocated, without context and NCCL. */
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
  return allocatorBytes(allocatedBytes) + overheadBytes(workload.cluster, groups);
}

/**
 * Allocated bytes that fit one GPU of the cluster, less what is kept free: the
 * inverse of reservedBytes, with as many communicators as a layout can have.
 */
export function memoryLimitBytes(cluster: Cluster, reserveBytes = 0): number {
  const usable =
    cluster.accelerator.memoryBytes - reserveBytes - overheadBytes(cluster, MOST_COMMUNICATORS);
  return Math.max(0, usable / (1 + FRAGMENTATION));
}

/** Context, cuBLAS and communicators; a rank on a CPU has little memory and neither. */
function overheadBytes({ accelerator }: Cluster, communicators: number): number {
  return Math.min(
    CONTEXT_BYTES + MATRIX_WORKSPACE_BYTES + communicators * COMMUNICATOR_BYTES,
    MOST_OVERHEAD_SHARE * accelerator.memoryBytes,
  );
}
