import { countsUpTo, NUM_KINDS, splitBackwards, waysFrom, waysTo } from "./path-counts.ts";
import type { Pass, ScheduleTable } from "./table.ts";

/**
 * Families of paths through a schedule, one path a rank: how often they count a
 * stage's time beyond m, by stage and kind, summed over the ranks.
 */
export function pathFamilies(table: ScheduleTable): Float64Array[] {
  return table.name === "gpipe" ? [turnOfGpipe(table)] : meansOfPaths(table);
}

/** A family for each way to enter and to leave a rank. */
function meansOfPaths(table: ScheduleTable): Float64Array[] {
  const { numRanks, numMicroBatches, rankOfStage } = table;
  const numStages = rankOfStage.length;
  const isSplit = splitBackwards(table);
  const families = new Map<string, { counts: Float64Array; numRanks: number }>();
  for (let rank = 0; rank < numRanks; rank++) {
    const own = table.passes[rank] as readonly Pass[];
    const { enters, leaves } = doors(own, table.chunksPerRank);
    const upTo = countsUpTo(table, rank, [
      ...enters.map(({ at }) => at),
      ...leaves.map(({ at }) => at + 1),
    ]);
    for (const enter of enters) {
      const head = waysTo(table, rank, own[enter.at] as Pass, isSplit);
      for (const leave of leaves) {
        if (leave.at < enter.at) continue;
        const key = `${enter.name} ${leave.name}`;
        let family = families.get(key);
        if (family === undefined) {
          family = { counts: new Float64Array(NUM_KINDS * numStages), numRanks: 0 };
          families.set(key, family);
        }
        family.numRanks++;
        const tail = waysFrom(table, rank, own[leave.at] as Pass, isSplit);
        const from = upTo.get(enter.at) as Float64Array;
        const to = upTo.get(leave.at + 1) as Float64Array;
        for (let index = 0; index < to.length; index++) {
          family.counts[index] =
            (family.counts[index] as number) +
            (to[index] as number) -
            (from[index] as number) +
            (head[index] as number) +
            (tail[index] as number);
        }
      }
    }
  }
  // A family that some rank lacks would not count that rank's work.
  return [...families.values()]
    .filter((family) => family.numRanks === numRanks)
    .map(({ counts }) => counts.map((count) => count - numMicroBatches));
}

/**
 * GPipe: a rank's forwards, the last micro-batch's way to the last rank, the first
 * backward's way back and the rank's backwards; p − 1 stages more than its own.
 */
function turnOfGpipe({ numRanks }: ScheduleTable): Float64Array {
  return new Float64Array(NUM_KINDS * numRanks).fill(numRanks - 1);
}

interface Door {
  name: string;
  /** Index of the pass. */
  at: number;
}

/** First and last passes of a rank's first, middle and last chunk. */
function doors(own: readonly Pass[], numChunks: number): { enters: Door[]; leaves: Door[] } {
  const chunks = new Set([0, Math.floor(numChunks / 2), numChunks - 1]);
  const first = new Map<string, number>();
  const last = new Map<string, number>();
  for (const [at, { kind, chunk }] of own.entries()) {
    if (!chunks.has(chunk)) continue;
    const name = `${kind === "I" ? "B" : kind}${chunk}`;
    if (kind !== "W" && !first.has(name)) first.set(name, at);
    last.set(name, at);
  }
  const doorsOf = (found: Map<string, number>) => [...found].map(([name, at]) => ({ name, at }));
  return { enters: doorsOf(first), leaves: doorsOf(last) };
}
