import {
  BACKWARD,
  type CompiledTable,
  FORWARD,
  FORWARD_OVERLAPPED,
  INPUT_GRAD,
  WEIGHT_GRAD,
} from "./compiled-table.ts";

/** Durations of each stage's passes for one micro-batch, in milliseconds. */
export interface PassDurations {
  forwardMs: Float64Array;
  inputGradMs: Float64Array;
  weightGradMs: Float64Array;
  forwardCommunicationMs: Float64Array;
  backwardCommunicationMs: Float64Array;
}

/** Start and end of each rank's passes, in the table's order. */
export interface PassTimes {
  startMs: Float64Array[];
  endMs: Float64Array[];
}

const UNKNOWN = -1;

/**
 * Runs every rank's passes in the table's order, each as soon as the rank is free
 * and its input is there, and returns when each rank is through. An overlapped
 * pair starts with the later input and takes as long as its computing, its
 * communication, or either pass alone.
 *
 * @throws when ranks wait for each other in a circle: names a rank and its pass
 */
export function runPasses(
  { table, numStages, kinds, stages, slots }: CompiledTable,
  durations: PassDurations,
  p2pMs: number,
  record?: PassTimes,
): Float64Array {
  const { numRanks, numMicroBatches: m, rankOfStage } = table;
  const { forwardMs, inputGradMs, weightGradMs } = durations;
  const { forwardCommunicationMs, backwardCommunicationMs } = durations;
  const forwardEnd = new Float64Array(numStages * m).fill(UNKNOWN);
  const backwardEnd = new Float64Array(numStages * m).fill(UNKNOWN);
  /** Into each stage from the one before. */
  const hopMs = Float64Array.from(rankOfStage, (rank, stage) =>
    stage > 0 && rankOfStage[stage - 1] !== rank ? p2pMs : 0,
  );
  const next = new Int32Array(numRanks);
  const free = new Float64Array(numRanks);

  /** When a pass's input is there; UNKNOWN while nobody knows. */
  const ready = (kind: number, stage: number, slot: number): number => {
    if (kind === FORWARD || kind === FORWARD_OVERLAPPED) {
      if (stage === 0) return 0;
      const end = forwardEnd[slot - m] as number;
      return end < 0 ? UNKNOWN : end + (hopMs[stage] as number);
    }
    if (kind === WEIGHT_GRAD) return backwardEnd[slot] as number;
    const own = forwardEnd[slot] as number;
    if (own < 0 || stage === numStages - 1) return own;
    const end = backwardEnd[slot + m] as number;
    return end < 0 ? UNKNOWN : Math.max(own, end + (hopMs[stage + 1] as number));
  };

  let left = kinds.reduce((sum, own) => sum + own.length, 0);
  while (left > 0) {
    const before = left;
    for (let rank = 0; rank < numRanks; rank++) {
      const ownKinds = kinds[rank] as Uint8Array;
      const ownStages = stages[rank] as Int32Array;
      const ownSlots = slots[rank] as Int32Array;
      const count = ownKinds.length;
      let index = next[rank] as number;
      let now = free[rank] as number;
      while (index < count) {
        const kind = ownKinds[index] as number;
        const stage = ownStages[index] as number;
        const slot = ownSlots[index] as number;
        let start = ready(kind, stage, slot);
        if (start < 0) break;
        if (start < now) start = now;
        if (kind === FORWARD_OVERLAPPED) {
          const otherStage = ownStages[index + 1] as number;
          const otherSlot = ownSlots[index + 1] as number;
          const other = ready(BACKWARD, otherStage, otherSlot);
          if (other < 0) break;
          if (start < other) start = other;
          const f = forwardMs[stage] as number;
          const b = (inputGradMs[otherStage] as number) + (weightGradMs[otherStage] as number);
          const fc = forwardCommunicationMs[stage] as number;
          const bc = backwardCommunicationMs[otherStage] as number;
          now = start + Math.max(f + b, fc + bc, f + fc, b + bc);
          forwardEnd[slot] = now;
          backwardEnd[otherSlot] = now;
          if (record) {
            for (const at of [index, index + 1]) {
              (record.startMs[rank] as Float64Array)[at] = start;
              (record.endMs[rank] as Float64Array)[at] = now;
            }
          }
          index += 2;
          left -= 2;
          continue;
        }
        if (kind === FORWARD) {
          now = start + (forwardMs[stage] as number) + (forwardCommunicationMs[stage] as number);
          forwardEnd[slot] = now;
        } else if (kind === WEIGHT_GRAD) {
          now = start + (weightGradMs[stage] as number);
        } else {
          now = start + (inputGradMs[stage] as number) + (backwardCommunicationMs[stage] as number);
          if (kind !== INPUT_GRAD) now += weightGradMs[stage] as number;
          backwardEnd[slot] = now;
        }
        if (record) {
          (record.startMs[rank] as Float64Array)[index] = start;
          (record.endMs[rank] as Float64Array)[index] = now;
        }
        index++;
        left--;
      }
      next[rank] = index;
      free[rank] = now;
    }
    if (left === before) throw new RangeError(deadlock(table.passes, next));
  }
  return free;
}

function deadlock(passes: CompiledTable["table"]["passes"], next: Int32Array): string {
  const rank = passes.findIndex((own, at) => (next[at] as number) < own.length);
  const pass = passes[rank]?.[next[rank] as number];
  return `deadlock: rank ${rank} waits for ever to run ${pass?.kind} of chunk ${pass?.chunk}, micro-batch ${pass?.microBatch}`;
}
