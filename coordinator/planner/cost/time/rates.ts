import type { Link, Precision } from "../../hardware/cluster.ts";
import type { Placement, Workload } from "../workload.ts";
import {
  type MachineFactors,
  type StackFactors,
  TIME_FACTORS,
  type TimeFactors,
} from "./factors.ts";

/** Speeds of one rank, in units a millisecond, and the sizes that all parts share. */
export interface Rates {
  machine: MachineFactors;
  stack: StackFactors;
  precision: Precision;
  /** FLOPs a ms that large products reach, bf16 (or fp32) and in the job's precision. */
  plainFlops: number;
  gemmFlops: number;
  attentionFlops: number;
  /** Bytes a ms of device memory: all of it, and what elementwise kernels get. */
  memory: number;
  elementwise: number;
  /** Bytes of an activation. */
  width: number;
  /** Tokens of a micro-batch on one context-parallel rank, and of those a tensor-parallel rank's share. */
  tokens: number;
  ownTokens: number;
  intra: Link;
  inter: Link;
  gpusPerDomain: number;
  /** What the host spends on a collective for each rank of the group. */
  collectiveRankMs: number;
}

/** FP8 recipes quantise with one more read and two narrow writes of every input. */
export const QUANTISE_BYTES = 4;

export function ratesOf(
  { cluster, precision, sequenceLength, stack }: Workload,
  { tensorParallel, contextParallel, microBatchSize }: Placement,
  { machine, stacks }: TimeFactors = TIME_FACTORS,
): Rates {
  const { peakFlops, achievable, memoryBandwidth } = cluster.accelerator;
  const plain = precision === "fp32" ? "fp32" : "bf16";
  const peak = (peakFlops[plain] ?? peakFlops.fp32 ?? peakFlops.bf16 ?? 0) / 1000;
  const plainFlops = peak * (achievable[plain] ?? 0.7) * machine.gemmShare;
  const fp8 = ((peakFlops.fp8 ?? 0) / 1000) * (achievable.fp8 ?? 0.7) * machine.gemmShareFp8;
  const tokens = (microBatchSize * sequenceLength) / contextParallel;
  return {
    machine,
    stack: stacks[stack],
    precision,
    plainFlops,
    gemmFlops: precision === "fp8" && fp8 > 0 ? fp8 : plainFlops,
    attentionFlops: peak * machine.attentionShare,
    memory: memoryBandwidth / 1000,
    elementwise: (memoryBandwidth / 1000) * machine.memoryShare,
    width: precision === "fp32" ? 4 : 2,
    tokens,
    ownTokens: stacks[stack].sequenceParallel ? tokens / tensorParallel : tokens,
    intra: cluster.intra,
    inter: cluster.inter,
    gpusPerDomain: cluster.gpusPerDomain,
    collectiveRankMs: cluster.collectiveRankMs ?? 0,
  };
}
