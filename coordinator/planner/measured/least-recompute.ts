import { memoryLimitBytes } from "../cost/memory/memory-limit.ts";
import { partMemory } from "../cost/memory/part-memory.ts";
import type { PartKind, Placement, Workload } from "../cost/workload.ts";
import type { Schedule } from "./step-time.ts";

/**
 * The recompute that a run must at least have done to fit, by the memory model:
 * nothing, else norms and activation functions of all layers, else all of as
 * many layers of each stage as it takes.
 */
export function leastRecompute(
  workload: Workload,
  placement: Placement,
  numMicroBatches: number,
): Schedule["recompute"] {
  const { model } = workload;
  const p = placement.pipelineParallel;
  const kind: PartKind = model.moe === undefined ? "dense" : "moe";
  const layer = partMemory(workload, placement, kind);
  const embedding = partMemory(workload, placement, "embedding");
  const head = partMemory(workload, placement, "head");
  const layers = model.layers.length / p;
  const limit = memoryLimitBytes(workload.cluster);
  let isSelective = false;
  const full = Array.from({ length: p }, (_, rank) => {
    const alive = inFlight(placement, rank, numMicroBatches);
    const ends = (rank === 0 ? embedding.staticBytes : 0) + (rank === p - 1 ? head.staticBytes : 0);
    const fixed = layers * layer.staticBytes + ends + layer.workspaceBytes.full;
    const room = limit - fixed;
    if (alive * layers * layer.activationBytes.none <= room) return 0;
    isSelective = true;
    const { selective, full } = layer.activationBytes;
    const over = alive * layers * selective - room;
    if (over <= 0 || selective <= full) return over <= 0 ? 0 : 1;
    return Math.min(1, over / (alive * layers * (selective - full)));
  });
  if (full.some((share) => share > 0)) return { kind: "full", share: full };
  return isSelective ? { kind: "selective", share: full.map(() => 1) } : undefined;
}

/** Micro-batches of a whole stage that rank keeps alive; interleaving holds some more. */
function inFlight(
  { pipelineParallel: p, virtualPipeline: v }: Placement,
  rank: number,
  m: number,
): number {
  if (v === 1) return Math.min(m, p - rank);
  return Math.min(m * v, 2 * (p - rank - 1) + (v - 1) * p + 1) / v;
}
