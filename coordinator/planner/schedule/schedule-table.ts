import type { ScheduleName } from "../plan-document.ts";
import { dualPipeV, dualPipeVIllegal } from "./dualpipev.ts";
import { gpipe } from "./gpipe.ts";
import { interleaved, interleavedIllegal, leastGroupSize } from "./interleaved.ts";
import { oneForwardOneBackward } from "./one-forward-one-backward.ts";
import type { ScheduleSizes, ScheduleTable } from "./table.ts";
import { zeroBubble } from "./zero-bubble.ts";

export interface ScheduleChoice extends ScheduleSizes {
  schedule: ScheduleName;
  /** Of a rank; only interleaving chooses. */
  chunksPerRank?: number | undefined;
  /** Of interleaving: micro-batches of one chunk in a row; default: the least legal. */
  groupSize?: number | undefined;
}

/** Chunks of a rank where the schedule leaves no choice. */
const FIXED_CHUNKS: Partial<Record<ScheduleName, number>> = {
  gpipe: 1,
  "1f1b": 1,
  "zero-bubble": 1,
  dualpipev: 2,
};

/** Why a schedule cannot run with these sizes; undefined when it can. */
export function scheduleIllegal(choice: ScheduleChoice): string | undefined {
  const { schedule, numRanks, numMicroBatches, chunksPerRank } = choice;
  for (const [name, value] of Object.entries({
    ranks: numRanks,
    "micro-batches": numMicroBatches,
  })) {
    if (!Number.isSafeInteger(value) || value < 1) return `${value} is no number of ${name}`;
  }
  const fixed = FIXED_CHUNKS[schedule];
  if (fixed !== undefined && (chunksPerRank ?? fixed) !== fixed) {
    return `${schedule} has ${fixed} chunks a rank, not ${chunksPerRank}`;
  }
  if (schedule === "dualpipev") return dualPipeVIllegal(choice);
  if (schedule === "interleaved") return interleavedIllegal(withChunks(choice));
  return undefined;
}

/** The table of any schedule. @throws RangeError with the reason when it is illegal. */
export function scheduleTable(choice: ScheduleChoice): ScheduleTable {
  const reason = scheduleIllegal(choice);
  if (reason !== undefined) throw new RangeError(reason);
  switch (choice.schedule) {
    case "gpipe":
      return gpipe(choice);
    case "1f1b":
      return oneForwardOneBackward(choice);
    case "interleaved":
      return interleaved(withChunks(choice));
    case "zero-bubble":
      return zeroBubble(choice);
    case "dualpipev":
      return dualPipeV(choice);
  }
}

function withChunks(choice: ScheduleChoice) {
  return {
    ...choice,
    chunksPerRank: choice.chunksPerRank ?? 2,
    groupSize: choice.groupSize ?? leastGroupSize(choice),
  };
}
