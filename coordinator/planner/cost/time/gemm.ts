import { QUANTISE_BYTES, type Rates } from "./rates.ts";

/**
 * Milliseconds of `count` products [m, k] × [k, n], by an additive roofline:
 * arithmetic at the achievable rate, and the traffic of all three matrices that
 * it does not hide. Narrow experts and few tokens show up as traffic. In fp8
 * the inputs are half as wide and have to be quantised first.
 */
export function gemmMs(rates: Rates, m: number, k: number, n: number, count = 1): number {
  const { machine, gemmFlops, memory, width } = rates;
  const work = (2 * m * k * n * (count > 1 ? machine.groupedGemm : 1)) / gemmFlops;
  const isFp8 = rates.precision === "fp8";
  const inputWidth = isFp8 ? 1 : width;
  const traffic = machine.gemmTraffic * ((m * k + k * n) * inputWidth + m * n * width);
  const quantise = isFp8 ? (m * k * QUANTISE_BYTES) / machine.memoryShare : 0;
  return count * (work + (traffic + quantise) / memory);
}

/** The same outside the layers, where fp8 recipes stay in bf16. */
export function plainGemmMs(rates: Rates, m: number, k: number, n: number): number {
  const { machine, plainFlops, memory, width } = rates;
  const traffic = machine.gemmTraffic * (m * k + k * n + m * n) * width;
  return (2 * m * k * n) / plainFlops + traffic / memory;
}

/** Read and write of the fp32 sum that a weight's gradient is added to. */
export const ACCUMULATE_BYTES = 8;
