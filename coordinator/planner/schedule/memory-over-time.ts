import type { StageCosts } from "./stage-costs.ts";
import type { MemoryStep, TimelinePass } from "./timeline.ts";

export interface RankMemory {
  memory: MemoryStep[];
  peakBytes: number;
  peakInFlight: number;
}

/**
 * Memory of a rank through its passes. A forward's activations come when it
 * starts and go when its backward ends; of a split backward, what W needs stays
 * until W ends. The workspace is there while a B or I runs.
 */
export function memoryOverTime(
  passes: readonly TimelinePass[],
  stages: readonly StageCosts[],
  staticBytes: number,
): RankMemory {
  const changes: { atMs: number; bytes: number; flight: number }[] = [];
  for (const { kind, stage, startMs, endMs } of passes) {
    const {
      activationBytes,
      workspaceBytes = 0,
      weightGradBytes = activationBytes,
    } = stages[stage] as StageCosts;
    if (kind === "F") changes.push({ atMs: startMs, bytes: activationBytes, flight: 1 });
    if ((kind === "B" || kind === "I") && workspaceBytes > 0) {
      changes.push({ atMs: startMs, bytes: workspaceBytes, flight: 0 });
      changes.push({ atMs: endMs, bytes: -workspaceBytes, flight: 0 });
    }
    if (kind === "B") changes.push({ atMs: endMs, bytes: -activationBytes, flight: -1 });
    if (kind === "I" && weightGradBytes < activationBytes) {
      changes.push({ atMs: endMs, bytes: weightGradBytes - activationBytes, flight: 0 });
    }
    if (kind === "W") changes.push({ atMs: endMs, bytes: -weightGradBytes, flight: -1 });
  }
  // What ends at an instant is gone before what starts then needs room.
  changes.sort((a, b) => a.atMs - b.atMs || a.bytes - b.bytes);
  const memory: MemoryStep[] = [{ atMs: 0, bytes: staticBytes }];
  let bytes = staticBytes;
  let peakBytes = staticBytes;
  let inFlight = 0;
  let peakInFlight = 0;
  for (const change of changes) {
    bytes += change.bytes;
    inFlight += change.flight;
    peakBytes = Math.max(peakBytes, bytes);
    peakInFlight = Math.max(peakInFlight, inFlight);
    const last = memory.at(-1) as MemoryStep;
    if (last.atMs === change.atMs) last.bytes = bytes;
    else memory.push({ atMs: change.atMs, bytes });
  }
  return { memory, peakBytes, peakInFlight };
}
