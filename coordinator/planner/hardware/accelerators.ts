import type { Accelerator } from "./cluster.ts";

/**
 * Shares of the peak that large GEMMs reach. bf16: 0.78 on A100 (SimuMax's table of
 * measured GEMMs, MooreThreads/SimuMax@4dcaae5, 0.70 to 0.80); Hopper and Blackwell
 * run into their power limit, so 0.72 (assumption from public GEMM tables of 650 to
 * 720 TFLOP/s on H100); the 4090's rated figure is itself sustained, so 0.85. fp8
 * loses more to scaling and memory (assumption).
 */
const AMPERE = { bf16: 0.78, fp32: 0.8 };
const HOPPER = { bf16: 0.72, fp8: 0.62, fp32: 0.8 };
const BLACKWELL = { bf16: 0.72, fp8: 0.62, fp32: 0.8 };
const ADA = { bf16: 0.85, fp8: 0.75, fp32: 0.8 };

const TERA = 1e12;
const GB = 1e9;

const A100 = { bf16: 312 * TERA, fp32: 19.5 * TERA };
const H100 = { bf16: 989 * TERA, fp8: 1979 * TERA, fp32: 67 * TERA };

/** Vendor figures: dense FLOP/s, capacity and bandwidth of the memory. */
export const ACCELERATORS = {
  a800: accelerator("A800-80G SXM", 80, 2000, A100, AMPERE),
  "a100-40": accelerator("A100-40G SXM", 40, 1555, A100, AMPERE),
  "a100-80": accelerator("A100-80G SXM", 80, 2039, A100, AMPERE),
  h100: accelerator("H100-80G SXM", 80, 3350, H100, HOPPER),
  h800: accelerator("H800-80G SXM", 80, 3350, H100, HOPPER),
  h200: accelerator("H200-141G SXM", 141, 4800, H100, HOPPER),
  /** 180 GB usable of 192 GB raw; 7.7 TB/s in HGX boards, 8 TB/s on the data sheet. */
  b200: accelerator(
    "B200-180G SXM",
    180,
    7700,
    { bf16: 2250 * TERA, fp8: 4500 * TERA, fp32: 75 * TERA },
    BLACKWELL,
  ),
  /** 186 GB usable of 192 GB raw. */
  gb200: accelerator(
    "GB200-186G",
    186,
    8000,
    { bf16: 2500 * TERA, fp8: 5000 * TERA, fp32: 80 * TERA },
    BLACKWELL,
  ),
  /** bf16 with fp32 accumulation. */
  rtx4090: accelerator(
    "RTX 4090",
    24,
    1008,
    { bf16: 165 * TERA, fp8: 330 * TERA, fp32: 82.6 * TERA },
    ADA,
  ),
  /**
   * One core with 256-bit vectors; order of magnitude, `moestro probe` measures it. The
   * process is Python with PyTorch and its distributed parts; bytes and share are on the
   * safe side of the peak resident size of twenty stages (torch 2.13, glibc), as
   * docs/memory-model.md says.
   */
  cpu: {
    ...accelerator(
      "CPU core",
      4,
      10,
      { fp32: 0.08 * TERA, bf16: 0.08 * TERA },
      { fp32: 0.5, bf16: 0.5 },
    ),
    process: { bytes: 0.5 * GB, heapShare: 0.3 },
  },
} as const satisfies Record<string, Accelerator>;

function accelerator(
  name: string,
  gigabytes: number,
  gigabytesPerSecond: number,
  peakFlops: Accelerator["peakFlops"],
  achievable: Accelerator["achievable"],
): Accelerator {
  return {
    name,
    memoryBytes: gigabytes * GB,
    memoryBandwidth: gigabytesPerSecond * GB,
    peakFlops,
    achievable,
  };
}
