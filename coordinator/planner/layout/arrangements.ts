import type { ScheduleName } from "../plan-document.ts";

/** What limits the schedules of a layout, and the chunks of a rank under each. */
export interface ArrangementLimits {
  /** The schedules that are allowed, in the order of preference. */
  schedules: readonly ScheduleName[];
  /** Chunks of a rank, where they are fixed. */
  virtualPipeline?: number | undefined;
  /** Stages in all, where they are listed by hand. */
  numStages?: number | undefined;
  /** Most stages there can be. */
  mostStages: number;
}

/**
 * The schedules that a pipeline of `numRanks` may run under, each with the chunks
 * of a rank. Without a pipeline every schedule is 1F1B of one stage.
 */
export function* arrangementsOf(
  numRanks: number,
  { schedules, virtualPipeline, numStages, mostStages }: ArrangementLimits,
): Generator<[schedule: ScheduleName, chunks: number]> {
  const allows = (chunks: number) =>
    (virtualPipeline === undefined || virtualPipeline === chunks) &&
    (numStages === undefined || numStages === numRanks * chunks);
  if (numRanks === 1) {
    if (allows(1)) yield ["1f1b", 1];
    return;
  }
  for (const schedule of schedules) {
    if (schedule === "interleaved") {
      for (let chunks = 2; chunks * numRanks <= mostStages; chunks++) {
        if (allows(chunks)) yield [schedule, chunks];
      }
    } else if (schedule === "dualpipev") {
      if (2 * numRanks <= mostStages && allows(2)) yield [schedule, 2];
    } else if (allows(1)) {
      yield [schedule, 1];
    }
  }
}

/** Fewest micro-batches that a schedule can be made for. */
export function leastMicroBatches(schedule: ScheduleName, numRanks: number): number {
  if (numRanks === 1) return 1;
  return schedule === "interleaved" ? numRanks : schedule === "dualpipev" ? 2 * numRanks : 1;
}
