import type { ScheduleName } from "../plan-document.ts";
import { type PathBound, pathBound } from "./path-bound.ts";
import { scheduleTable } from "./schedule-table.ts";

/** Micro-batches a rank after which no schedule enters or leaves its ranks another way. */
const ROUNDS = 2;

/** Layers a stage are told apart in steps this fine. */
const STEPS = 4;

/** Path bounds of schedules by their sizes, each made once. */
export class PathBounds {
  readonly #known = new Map<string, PathBound>();

  /** @throws RangeError when the sizes are illegal for the schedule */
  of(
    schedule: ScheduleName,
    numRanks: number,
    numMicroBatches: number,
    chunksPerRank: number,
    numLayers: number,
  ): PathBound {
    const stages = numRanks * chunksPerRank;
    const layersPerStage = Math.max(1, Math.floor((STEPS * numLayers) / stages) / STEPS);
    const few = fewestAlike(schedule, numRanks, numMicroBatches, ROUNDS);
    const key = `${schedule} ${numRanks} ${few} ${chunksPerRank} ${layersPerStage}`;
    let bound = this.#known.get(key);
    if (bound === undefined) {
      const sizes = { numRanks, numMicroBatches: few, chunksPerRank };
      bound = pathBound(scheduleTable({ schedule, ...sizes }), layersPerStage);
      this.#known.set(key, bound);
    }
    return bound;
  }
}

/**
 * A number of micro-batches whose table begins and ends like that of more.
 *
 * @param rounds at least as many for each rank
 */
export function fewestAlike(
  schedule: ScheduleName,
  numRanks: number,
  numMicroBatches: number,
  rounds: number,
): number {
  const few = rounds * numRanks;
  if (numMicroBatches <= few || schedule === "gpipe") return numMicroBatches;
  if (schedule !== "interleaved") return few;
  // Groups of one micro-batch a rank repeat; other groups depend on how many there are.
  return numMicroBatches % numRanks === 0 ? few : numMicroBatches;
}
