import { type Pass, type ScheduleSizes, type ScheduleTable, tableOf } from "./table.ts";

/** All forwards, then all backwards (GPipe, arXiv 1811.06965). */
export function gpipe(sizes: ScheduleSizes): ScheduleTable {
  const all = (kind: "F" | "B") =>
    Array.from({ length: sizes.numMicroBatches }, (_, microBatch): Pass => {
      return { kind, chunk: 0, microBatch };
    });
  return tableOf("gpipe", sizes, 1, () => [...all("F"), ...all("B")]);
}
