/**
 * NCCL all-reduce of 8 H100 80GB HBM3 in one node: message bytes and microseconds
 * (NVIDIA/dgxc-benchmarking@841f546, nccl/README.md, float sum, out of place).
 * From 8 KiB up; below it the time is all latency.
 */
const H100_ALL_REDUCE: readonly (readonly [bytes: number, microseconds: number])[] = [
  [8192, 17.4],
  [16384, 17.93],
  [32768, 19.33],
  [65536, 19.54],
  [131072, 19.89],
  [262144, 20.43],
  [524288, 20.66],
  [1048576, 27.37],
  [2097152, 42.21],
  [4194304, 54.19],
  [8388608, 83.04],
  [16777216, 123.8],
  [33554432, 199.3],
  [67108864, 324.7],
  [134217728, 586.4],
  [268435456, 1112.5],
  [536870912, 2151],
  [1073741824, 4029.4],
  [2147483648, 7939.1],
  [4294967296, 15749],
  [8589934592, 31307],
  [17179869184, 62648],
];

/**
 * A message over NVLink: 6.6 µs for the smallest and 0.6 µs for each ring step, the
 * LL protocol's constants in NCCL (NVIDIA/nccl@5067397, src/graph/tuning.cc).
 */
export const NVLINK_LATENCY_MS = 7.2e-3;

/** H100's NVLink, one direction. */
const H100_BYTES_PER_SECOND = 450e9;

/**
 * What NVLink SHARP gives all-reduce over the other collectives: 480 GB/s of bus
 * bandwidth in the table above, over the 78 % of one direction that DeepEP's
 * all-to-all (156 of 200 GB/s on H800) and NCCL's rings on A100 reach.
 */
export const NVLINK_SHARP_GAIN = 480 / (0.78 * 450);

const RANKS = 8;
const STEP_MS = NVLINK_LATENCY_MS / 12;

/**
 * The H100's curve for an NVLink of another speed: the same share of the peak at
 * a size that keeps the wire busy as long.
 *
 * @param bytesPerSecond the peak in one direction
 */
export function nvlinkCurve(bytesPerSecond: number): [bytes: number, bytesPerSecond: number][] {
  const scale = bytesPerSecond / H100_BYTES_PER_SECOND;
  const steps = 2 * (RANKS - 1);
  return H100_ALL_REDUCE.map(([bytes, microseconds]) => {
    const wireBytes = (bytes * steps) / RANKS;
    const wireMs = microseconds / 1000 - NVLINK_LATENCY_MS - (steps - 1) * STEP_MS;
    const rate = ((wireBytes / wireMs) * 1000) / NVLINK_SHARP_GAIN;
    return [Math.round(wireBytes * scale), rate * scale];
  });
}
