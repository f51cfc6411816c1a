import { type ScheduleChoice, scheduleTable } from "./schedule-table.ts";
import type { ScheduleTable } from "./table.ts";

/** Passes of all tables kept, some 100 MB: a search asks for the same sizes again and again. */
const MAX_PASSES = 1_000_000;

const tables = new Map<string, ScheduleTable>();
let numPasses = 0;

/** `scheduleTable`, the same one for the same sizes while it is remembered. */
export function cachedTable(choice: ScheduleChoice): ScheduleTable {
  const { schedule, numRanks, numMicroBatches, chunksPerRank, groupSize } = choice;
  const key = [schedule, numRanks, numMicroBatches, chunksPerRank, groupSize].join();
  const known = tables.get(key);
  const table = known ?? scheduleTable(choice);
  // The one used longest ago is the first to go.
  tables.delete(key);
  tables.set(key, table);
  if (known === undefined) numPasses += countPasses(table.passes);
  for (const [oldest, { passes }] of tables) {
    if (numPasses <= MAX_PASSES || oldest === key) break;
    tables.delete(oldest);
    numPasses -= countPasses(passes);
  }
  return table;
}

function countPasses(passes: ScheduleTable["passes"]): number {
  return passes.reduce((sum, own) => sum + own.length, 0);
}
