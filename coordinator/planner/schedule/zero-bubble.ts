import { type Pass, type ScheduleSizes, type ScheduleTable, tableOf } from "./table.ts";

/**
 * ZB-H1 (Zero Bubble, arXiv 2401.10241): 1F1B whose weight gradients wait; rank r
 * puts off r of them, so every rank keeps at most p micro-batches, as 1F1B's
 * first, and fills the drain with them.
 */
export function zeroBubble(sizes: ScheduleSizes): ScheduleTable {
  const { numRanks, numMicroBatches } = sizes;
  return tableOf("zero-bubble", sizes, 1, (rank) => {
    const warmup = Math.min(numMicroBatches, numRanks - rank - 1);
    const passes: Pass[] = [];
    for (let index = 0; index < numMicroBatches + warmup + rank; index++) {
      const backward = index - warmup;
      const weight = backward - rank;
      if (index < numMicroBatches) passes.push({ kind: "F", chunk: 0, microBatch: index });
      if (backward >= 0 && backward < numMicroBatches) {
        passes.push({ kind: "I", chunk: 0, microBatch: backward });
      }
      if (weight >= 0) passes.push({ kind: "W", chunk: 0, microBatch: weight });
    }
    return passes;
  });
}
