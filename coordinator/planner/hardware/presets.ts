import { ACCELERATORS } from "./accelerators.ts";
import type { Cluster, Link } from "./cluster.ts";
import { network, nvlink, pcie4, sharedMemory } from "./links.ts";

export const CLUSTER_PRESET_NAMES = [
  "a800",
  "a100-40",
  "a100-80",
  "h100",
  "h800",
  "h200",
  "b200",
  "gb200",
  "rtx4090",
  "cpu",
] as const;
export type ClusterPresetName = (typeof CLUSTER_PRESET_NAMES)[number];

interface Fabric {
  intra: Link;
  /** Gb/s of one GPU, or of a node whose GPUs share them. */
  network: { perGpu: number } | { perNode: number };
  /** GPUs that NVLink joins where that is more than a node. */
  domain?: number;
}

const GB = 1e9;

/**
 * NVLink by the vendor's figure, both directions; a network port of 400 Gb/s a GPU
 * unless something else is usual. A800: 800 Gb/s a node as in Skywork-MoE's cluster
 * (arXiv 2406.06563); A100: 200 Gb/s HDR a GPU as in DGX A100 SuperPODs.
 */
const FABRICS: Record<ClusterPresetName, Fabric> = {
  a800: { intra: nvlink(400 * GB, false), network: { perNode: 800 } },
  "a100-40": { intra: nvlink(600 * GB, false), network: { perGpu: 200 } },
  "a100-80": { intra: nvlink(600 * GB, false), network: { perGpu: 200 } },
  h100: { intra: nvlink(900 * GB, true), network: { perGpu: 400 } },
  h800: { intra: nvlink(400 * GB, true), network: { perGpu: 400 } },
  h200: { intra: nvlink(900 * GB, true), network: { perGpu: 400 } },
  b200: { intra: nvlink(1800 * GB, true), network: { perGpu: 400 } },
  gb200: { intra: nvlink(1800 * GB, true), network: { perGpu: 400 }, domain: 72 },
  rtx4090: { intra: pcie4(), network: { perNode: 100 } },
  cpu: { intra: sharedMemory(), network: { perNode: 10 } },
};

/** The cluster of a preset; both counts are whole numbers above zero. */
export function clusterPreset(
  name: ClusterPresetName,
  nodes: number,
  gpusPerNode: number,
): Cluster {
  const fabric = FABRICS[name];
  const ports = fabric.network;
  const gigabits = "perGpu" in ports ? ports.perGpu : ports.perNode / gpusPerNode;
  return {
    name: `${nodes} x ${gpusPerNode} ${name}`,
    accelerator: ACCELERATORS[name],
    nodes,
    gpusPerNode,
    intra: fabric.intra,
    inter: network(gigabits * GB),
    gpusPerDomain: Math.max(gpusPerNode, fabric.domain ?? 0),
    origin: "preset",
  };
}
