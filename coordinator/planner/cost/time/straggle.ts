import { TIME_FACTORS, type TimeFactors } from "./factors.ts";

/**
 * By how much a pipeline is slower than its ranks alone, since each step waits
 * for the slowest of them: grows with the logarithm of their number.
 */
export function straggleOf(gpus: number, { machine }: TimeFactors = TIME_FACTORS): number {
  return 1 + machine.straggle * (Math.log2(Math.max(1, gpus)) / 10);
}
