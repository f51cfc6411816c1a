import { type InFlightPeak, peakOf } from "./in-flight-peak.ts";
import { NUM_KINDS } from "./path-counts.ts";
import { pathFamilies } from "./path-families.ts";
import { bestMixture } from "./path-mixture.ts";
import { inFlightVectors, type ScheduleTable } from "./table.ts";
import type { WorkOfModel } from "./work-of-model.ts";

/**
 * What no split can beat under a table's order. The makespan is at least the
 * length of any path through the schedule, a sum of stages' times; of paths that
 * enter a rank with its first forward or backward of a chunk, stay while it works
 * and leave with its last, the mean over all ranks has every stage about m times
 * each p-th, and what is over tells of filling and draining. A stage can be as
 * short as one layer, so the work beyond one layer a stage counts where a mixture
 * of such means counts it least; the mixture is chosen to make that most.
 */
export interface PathBound {
  /** Paths of the mixture's stages beyond m, for each kind of work: the least, and the sum. */
  least: readonly number[];
  sum: readonly number[];
  numRanks: number;
  numStages: number;
  /** Of each rank: the peak that keeps most micro-batches of its chunks together. */
  peaks: readonly InFlightPeak[];
}

/** The bound of any schedule: ranks that never wait, and keep nothing alive. */
export function busyBound(numRanks: number): PathBound {
  const none = [0, 0, 0];
  const peak = { numChunks: 1, sum: 0, least: 0 };
  const peaks = Array.from({ length: numRanks }, () => peak);
  return { least: none, sum: none, numRanks, numStages: numRanks, peaks };
}

/** @param layersPerStage of the mean stage: how much more than one layer there is to place */
export function pathBound(table: ScheduleTable, layersPerStage: number): PathBound {
  const { numRanks, rankOfStage } = table;
  const numStages = rankOfStage.length;
  const share = 1 / Math.max(1, layersPerStage);
  const mixed = bestMixture(pathFamilies(table), numStages, share);
  const least: number[] = [];
  const sum: number[] = [];
  for (let kind = 0; kind < NUM_KINDS; kind++) {
    const own = Array.from(
      { length: numStages },
      (_, stage) => mixed[NUM_KINDS * stage + kind] as number,
    );
    least.push(Math.min(...own));
    sum.push(own.reduce((a, b) => a + b, 0));
  }
  const peaks = Array.from({ length: numRanks }, (_, rank) => peakOf(inFlightVectors(table, rank)));
  return { least, sum, numRanks, numStages, peaks };
}

/**
 * Milliseconds that a step takes at least, optimizer apart. The table of the bound
 * may have fewer micro-batches, as long as each rank enters and leaves alike.
 */
export function pathBoundMs(
  { least, sum, numRanks, numStages }: PathBound,
  numMicroBatches: number,
  work: WorkOfModel,
): number {
  const total = [work.forwardMs, work.inputGradMs, work.weightGradMs];
  const single = [work.leastForwardMs, work.leastInputGradMs, work.leastWeightGradMs];
  let workMs = 0;
  let idleMs = 0;
  for (let kind = 0; kind < NUM_KINDS; kind++) {
    const layer = single[kind] as number;
    const all = total[kind] as number;
    workMs += numMicroBatches * all;
    idleMs += (least[kind] as number) * (all - numStages * layer) + layer * (sum[kind] as number);
  }
  return (workMs + Math.max(0, idleMs)) / numRanks;
}
