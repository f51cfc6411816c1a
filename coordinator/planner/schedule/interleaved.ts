import { type Pass, type ScheduleSizes, type ScheduleTable, tableOf } from "./table.ts";

export interface InterleavedSizes extends ScheduleSizes {
  chunksPerRank: number;
  /** Micro-batches a rank takes of one chunk before the next; default: one for each rank. */
  groupSize?: number | undefined;
}

/**
 * Interleaved 1F1B in the order of Megatron-Core (arXiv 2104.04473): rank r warms
 * up with 2(p − r − 1) + (v − 1)·g forwards. Check `interleavedIllegal` first.
 */
export function interleaved(sizes: InterleavedSizes): ScheduleTable {
  const { numRanks, numMicroBatches, chunksPerRank } = sizes;
  const order = chunkOrder(sizes);
  const total = numMicroBatches * chunksPerRank;
  const lead = (chunksPerRank - 1) * (sizes.groupSize ?? numRanks);
  const last = chunksPerRank - 1;
  return tableOf("interleaved", sizes, chunksPerRank, (rank) => {
    const warmup = Math.min(total, 2 * (numRanks - rank - 1) + lead);
    const passes: Pass[] = [];
    for (let index = 0; index < total + warmup; index++) {
      const forward = order[index];
      if (forward) passes.push({ kind: "F", ...forward });
      const backward = order[index - warmup];
      if (backward) {
        const { chunk, microBatch } = backward;
        passes.push({ kind: "B", chunk: last - chunk, microBatch });
      }
    }
    return passes;
  });
}

/** Why these sizes cannot interleave; undefined when they can. */
export function interleavedIllegal(sizes: InterleavedSizes): string | undefined {
  const { numRanks: p, numMicroBatches: m, chunksPerRank: v, groupSize: g = p } = sizes;
  if (p < 2) return "interleaving needs at least 2 pipeline ranks";
  if (v < 2) return `interleaving needs at least 2 chunks a rank, not ${v}`;
  if (g < p || g > m)
    return `a micro-batch group of ${g} is not between ${p} ranks and ${m} micro-batches`;
  const rest = m % g;
  if (rest > 0 && rest < p) {
    return `${m} micro-batches in groups of ${g} leave ${rest}, fewer than ${p} ranks`;
  }
  return undefined;
}

/** The least legal micro-batch group, which holds the least memory; undefined when there is none. */
export function leastGroupSize({ numRanks, numMicroBatches }: ScheduleSizes): number | undefined {
  for (let group = numRanks; group <= numMicroBatches; group++) {
    const rest = numMicroBatches % group;
    if (rest === 0 || rest >= numRanks) return group;
  }
  return undefined;
}

/** Chunks and micro-batches in the order of their forwards, the same on all ranks. */
function chunkOrder({ numRanks, numMicroBatches, chunksPerRank, groupSize }: InterleavedSizes) {
  const group = groupSize ?? numRanks;
  const order: { chunk: number; microBatch: number }[] = [];
  for (let from = 0; from < numMicroBatches; from += group) {
    const to = Math.min(numMicroBatches, from + group);
    for (let chunk = 0; chunk < chunksPerRank; chunk++) {
      for (let microBatch = from; microBatch < to; microBatch++) order.push({ chunk, microBatch });
    }
  }
  return order;
}
