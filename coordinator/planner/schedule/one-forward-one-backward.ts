import { type Pass, type ScheduleSizes, type ScheduleTable, tableOf } from "./table.ts";

/** 1F1B (PipeDream-flush, arXiv 2006.09503): rank r warms up with p − r − 1 forwards. */
export function oneForwardOneBackward(sizes: ScheduleSizes): ScheduleTable {
  const { numRanks, numMicroBatches } = sizes;
  return tableOf("1f1b", sizes, 1, (rank) => {
    const warmup = Math.min(numMicroBatches, numRanks - rank - 1);
    const passes: Pass[] = [];
    for (let index = 0; index < numMicroBatches + warmup; index++) {
      if (index < numMicroBatches) passes.push({ kind: "F", chunk: 0, microBatch: index });
      if (index >= warmup) passes.push({ kind: "B", chunk: 0, microBatch: index - warmup });
    }
    return passes;
  });
}
