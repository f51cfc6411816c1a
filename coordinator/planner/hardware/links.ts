import type { Link } from "./cluster.ts";
import { NVLINK_LATENCY_MS, NVLINK_SHARP_GAIN, nvlinkCurve } from "./nvlink-curve.ts";

/** NVLink with a switch; `bothWays` is the vendor's figure, both directions together, in bytes/s. */
export function nvlink(bothWays: number, sharp: boolean): Link {
  return {
    latencyMs: NVLINK_LATENCY_MS,
    curve: nvlinkCurve(bothWays / 2),
    ...(sharp ? { allReduceGain: NVLINK_SHARP_GAIN } : {}),
  };
}

/**
 * Share of a network port's rate by how long the message keeps the wire busy, in
 * seconds at full rate. 0.92 at the end: DeepEP on SM90 moves 90 GB/s over 8x2 and
 * 61 GB/s over 8x4 ranks, which is 45 and 46 GB/s through a 50 GB/s port
 * (deepseek-ai/DeepEP@dd758ca). The way up is an assumption: 10 MB reach three
 * quarters, as RDMA needs about 0.1 ms of queued messages.
 */
const NETWORK_SHARE: readonly (readonly [seconds: number, share: number])[] = [
  [1e-7, 0.05],
  [1e-6, 0.2],
  [1e-5, 0.45],
  [1e-4, 0.7],
  [1e-3, 0.87],
  [1e-2, 0.92],
];

/**
 * InfiniBand or RoCE with GPUDirect. NCCL's constants for the network: 6.6 µs and
 * 2.7 µs a step, and 1 µs of the host's.
 *
 * @param bitsPerSecond one GPU's share of the node's ports
 */
export function network(bitsPerSecond: number): Link {
  const rate = bitsPerSecond / 8;
  return {
    latencyMs: 10.3e-3,
    curve: NETWORK_SHARE.map(([seconds, share]) => [Math.round(seconds * rate), share * rate]),
  };
}

/**
 * Through the host's memory, for cards that cannot read each other's: data crosses
 * the root complex twice, so a GPU gets about 12 of PCIe 4.0 x16's 32 GB/s when all
 * send at once (assumption, of the order that NCCL reaches on such boxes).
 */
export function pcie4(): Link {
  return {
    latencyMs: 20e-3,
    curve: [
      [65_536, 2e9],
      [1_048_576, 7e9],
      [16_777_216, 12e9],
    ],
  };
}

/** Processes of one machine through gloo: order of magnitude, `moestro probe` measures it. */
export function sharedMemory(): Link {
  return {
    latencyMs: 0.2,
    curve: [
      [16_384, 0.2e9],
      [1_048_576, 0.8e9],
      [16_777_216, 1e9],
    ],
  };
}
