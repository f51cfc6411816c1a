import type { PartKind, PartMemory, Placement, RecomputeKind, Workload } from "../workload.ts";
import { MEMORY_FACTORS, type MemoryFactors } from "./factors.ts";
import { partMemory } from "./part-memory.ts";

/** How the layers of a run lie on its pipeline stages, first to last. */
export interface RunStages {
  /** Decoder layers of each stage. */
  layersPerStage: readonly number[];
  /** Micro-batches that each stage keeps at once. */
  inFlight: readonly number[];
  /** Of every layer alike. */
  recompute: RecomputeKind;
  /** Stage with the head, when it is not the last. */
  headStage?: number | undefined;
}

/** Bytes on one rank of a stage. */
export interface StageMemory {
  staticBytes: number;
  /** Of all micro-batches in flight. */
  activationBytes: number;
  workspaceBytes: number;
  peakBytes: number;
}

/** Most micro-batches that stages keep under 1F1B: min(m, p − i) on stage i. */
export function inFlightOf1f1b(stages: number, microBatches: number): number[] {
  return Array.from({ length: stages }, (_, i) => Math.min(microBatches, stages - i));
}

/** As many layers on every stage as go round, one more on the first stages for the rest. */
export function evenLayers(layers: number, stages: number): number[] {
  const each = Math.floor(layers / stages);
  return Array.from({ length: stages }, (_, i) => each + (i < layers % stages ? 1 : 0));
}

/** Peak of every stage: static, what is kept of the micro-batches in flight, the largest workspace. */
export function runMemory(
  workload: Workload,
  placement: Placement,
  stages: RunStages,
  factors: MemoryFactors = MEMORY_FACTORS[workload.stack],
): StageMemory[] {
  const byKind = new Map<PartKind, PartMemory>();
  const memoryOf = (kind: PartKind) => {
    const known = byKind.get(kind) ?? partMemory(workload, placement, kind, factors);
    byKind.set(kind, known);
    return known;
  };
  const headStage = stages.headStage ?? stages.layersPerStage.length - 1;
  let first = 0;
  return stages.layersPerStage.map((count, stage) => {
    const kinds = partsOfStage(workload, first, count, stage === 0, stage === headStage);
    first += count;
    return stageMemory(kinds.map(memoryOf), stages.inFlight[stage] ?? 1, stages.recompute);
  });
}

function partsOfStage(
  { model }: Workload,
  first: number,
  count: number,
  hasEmbedding: boolean,
  hasHead: boolean,
): PartKind[] {
  return [
    ...(hasEmbedding ? (["embedding"] as const) : []),
    ...model.layers.slice(first, first + count).map(({ kind }) => kind),
    ...(hasHead ? [...Array<PartKind>(model.mtpLayers).fill("mtp"), "head" as const] : []),
  ];
}

function stageMemory(
  parts: readonly PartMemory[],
  inFlight: number,
  recompute: RecomputeKind,
): StageMemory {
  let staticBytes = 0;
  let kept = 0;
  let workspaceBytes = 0;
  for (const memory of parts) {
    staticBytes += memory.staticBytes;
    kept += memory.activationBytes[recompute];
    workspaceBytes = Math.max(workspaceBytes, memory.workspaceBytes[recompute]);
  }
  const activationBytes = inFlight * kept;
  const peakBytes = staticBytes + activationBytes + workspaceBytes;
  return { staticBytes, activationBytes, workspaceBytes, peakBytes };
}
