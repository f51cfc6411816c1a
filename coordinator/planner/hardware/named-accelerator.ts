import { ACCELERATORS } from "./accelerators.ts";
import type { Accelerator } from "./cluster.ts";

/** What the driver calls them, as far as the name tells the peak. */
const NAMES: readonly (readonly [RegExp, Accelerator])[] = [
  [/\bA800\b/, ACCELERATORS.a800],
  [/\bA100\b/, ACCELERATORS["a100-80"]],
  [/\bH100\b/, ACCELERATORS.h100],
  [/\bH800\b/, ACCELERATORS.h800],
  [/\bH200\b/, ACCELERATORS.h200],
  [/\bGB200\b/, ACCELERATORS.gb200],
  [/\bB200\b/, ACCELERATORS.b200],
  [/\bRTX 4090$/, ACCELERATORS.rtx4090],
];

/** Boards of the same chip with less power, whose peak is lower (A100's is the same), and slices. */
const OTHER_BOARDS = /\bH\w+ (PCIe|NVL)\b|\bMIG\b/;

/**
 * The accelerator that `nvidia-smi` calls so ("NVIDIA H100 80GB HBM3"), for its peak FLOP/s;
 * undefined where that is not known.
 */
export function namedAccelerator(name: string): Accelerator | undefined {
  if (OTHER_BOARDS.test(name)) return undefined;
  return NAMES.find(([pattern]) => pattern.test(name))?.[1];
}
