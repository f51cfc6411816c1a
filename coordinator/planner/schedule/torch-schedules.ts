import type { ScheduleName } from "../plan-document.ts";

/** Names of torch.distributed.pipelining.schedules. */
export const TORCH_SCHEDULES: Record<ScheduleName, string> = {
  gpipe: "GPipe",
  "1f1b": "1F1B",
  interleaved: "Interleaved1F1B",
  "zero-bubble": "InterleavedZeroBubble",
  dualpipev: "DualPipeV",
};

/** Why torch.distributed.pipelining (2.13) cannot run a schedule with so many micro-batches. */
export function whyNotTorchSchedule(
  schedule: ScheduleName,
  numRanks: number,
  numMicroBatches: number,
): string | undefined {
  if (numRanks === 1) return undefined;
  const name = TORCH_SCHEDULES[schedule];
  const needed = schedule === "1f1b" ? numRanks : schedule === "dualpipev" ? 2 * numRanks : 1;
  if (numMicroBatches < needed) {
    return `torch's ${name} needs at least ${needed} micro-batches, not ${numMicroBatches}`;
  }
  if (schedule !== "interleaved" && schedule !== "zero-bubble") return undefined;
  const rounds = Math.max(1, Math.floor(numMicroBatches / numRanks));
  return numMicroBatches % rounds === 0
    ? undefined
    : `torch's ${name} needs a multiple of ${rounds} micro-batches on ${numRanks} ranks, not ${numMicroBatches}`;
}
