import type { PartitionLayer, PartitionProblem } from "../partition/problem.ts";
import type { ScheduleName } from "../plan-document.ts";
import { cachedTable } from "./cached-table.ts";
import type { ScheduleTable } from "./table.ts";

/** `stages` and `memoryBytes` are those of the pipeline ranks; a rank holds `chunks` stages. */
export interface ScheduleProblem extends PartitionProblem {
  schedule: ScheduleName;
  /** Stages of a rank; needed for interleaving, default 2. */
  chunks?: number | undefined;
  /** Of interleaving; default: the least legal. */
  groupSize?: number | undefined;
  /** First layer of each stage, and the number of layers, where the split is not free. */
  starts?: readonly number[] | undefined;
}

export interface ScheduleStage {
  rank: number;
  chunk: number;
  /** Zero-based, inclusive. */
  layers: [first: number, last: number];
  /** Name of the option of each layer. */
  recompute: string[];
  forwardMs: number;
  /** With recompute. */
  backwardMs: number;
  weightGradMs: number;
  /** The parts of forwardMs and backwardMs that wait for others. */
  forwardCommunicationMs: number;
  backwardCommunicationMs: number;
  recomputeMs: number;
  staticBytes: number;
  activationBytes: number;
  workspaceBytes: number;
  /** Most micro-batches alive at once; the chunks of a rank need not peak together. */
  inFlightMicroBatches: number;
}

export interface ScheduleSolution {
  /** In model order. */
  stages: ScheduleStage[];
  /** Most that each rank holds: static, in flight, workspace. */
  memoryBytesOfRank: number[];
  simulatedMs: number;
  /** No split and choice of options is faster than this in the schedule's order. */
  boundMs: number;
  /** (simulatedMs − boundMs) / simulatedMs. */
  gap: number;
  simulations: number;
}

export function tableOfProblem(problem: ScheduleProblem): ScheduleTable {
  return cachedTable({
    schedule: problem.schedule,
    numRanks: problem.stages,
    numMicroBatches: problem.microBatches,
    chunksPerRank: problem.chunks,
    groupSize: problem.groupSize,
  });
}

/** A layer's matrix products have two gradients of equal work, unless measured. */
export function weightGradMsOf(layer: PartitionLayer): number {
  const { backwardMs, backwardCommunicationMs = 0, weightGradMs } = layer;
  const computeMs = backwardMs - backwardCommunicationMs;
  return Math.min(computeMs, weightGradMs ?? computeMs / 2);
}

export function memoryOfRank({ memoryBytes }: PartitionProblem, rank: number): number {
  return typeof memoryBytes === "number" ? memoryBytes : (memoryBytes[rank] ?? 0);
}
