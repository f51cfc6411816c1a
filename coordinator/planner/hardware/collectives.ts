import type { Cluster, Link } from "./cluster.ts";

/**
 * Ranks that communicate: `size` of them, `stride` apart in the rank order
 * tp-cp-ep-dp-pp, so that neighbours of a tensor-parallel group are 1 apart and
 * those of a pipeline world / PP.
 */
export interface RankGroup {
  size: number;
  stride: number;
}

/**
 * Shares of a link's latency that one more step of a collective takes: 0.6 of
 * 7.2 µs over NVLink, 2.7 of 10.3 µs over a network (NCCL's LL constants,
 * NVIDIA/nccl@5067397, src/graph/tuning.cc).
 */
const STEP_SHARE = { intra: 0.6 / 7.2, inter: 2.7 / 10.3 };

/**
 * Milliseconds of an all-reduce of `bytes`: 2(n−1)/n of them through each rank
 * (nccl-tests' bus bandwidth), by rings inside a node and trees between nodes.
 */
export function allReduceMs(cluster: Cluster, bytes: number, group: RankGroup): number {
  const { size: n } = group;
  if (n < 2 || bytes <= 0) return 0;
  const { local, domains } = spread(cluster, group);
  const latencyMs =
    latencyOf(cluster.intra, "intra", 2 * (local - 1)) +
    latencyOf(cluster.inter, "inter", 2 * Math.ceil(Math.log2(domains)));
  return latencyMs + ringMs(cluster, (bytes * 2 * (n - 1)) / n, group, "reduce");
}

/** Milliseconds of an all-gather that leaves `bytes` on every rank, (n−1)/n of them received. */
export function allGatherMs(cluster: Cluster, bytes: number, group: RankGroup): number {
  const { size: n } = group;
  if (n < 2 || bytes <= 0) return 0;
  const { local, domains } = spread(cluster, group);
  const latencyMs =
    latencyOf(cluster.intra, "intra", local - 1) + latencyOf(cluster.inter, "inter", domains - 1);
  return latencyMs + ringMs(cluster, (bytes * (n - 1)) / n, group, "move");
}

/** Milliseconds of a reduce-scatter of `bytes` on every rank: an all-gather backwards. */
export function reduceScatterMs(cluster: Cluster, bytes: number, group: RankGroup): number {
  return allGatherMs(cluster, bytes, group);
}

/**
 * Milliseconds of an all-to-all in which every rank holds `bytes`, 1/n of them for
 * each rank. What goes to other nodes passes the rank's own port while the rest
 * moves inside the node; the slower of the two decides.
 */
export function allToAllMs(cluster: Cluster, bytes: number, group: RankGroup): number {
  const { size: n } = group;
  if (n < 2 || bytes <= 0) return 0;
  const { local, domains } = spread(cluster, group);
  const near = (bytes * (local - 1)) / n;
  const far = (bytes * (n - local)) / n;
  const nearMs = latencyOf(cluster.intra, "intra", local - 1) + wireMs(cluster.intra, near);
  // Messages to all other nodes are posted together, so steps overlap.
  const farMs =
    latencyOf(cluster.inter, "inter", Math.ceil(Math.log2(domains))) + wireMs(cluster.inter, far);
  return Math.max(nearMs, farMs);
}

/** Milliseconds of sending `bytes` to the next rank of the group, where that is farthest. */
export function p2pMs(cluster: Cluster, bytes: number, group: RankGroup): number {
  if (group.size < 2 || bytes <= 0) return 0;
  const link = spread(cluster, group).domains > 1 ? cluster.inter : cluster.intra;
  return link.latencyMs + wireMs(link, bytes);
}

/** How many of a group's ranks share a node or NVLink domain, and over how many it spreads. */
export function spread(
  { gpusPerDomain }: Cluster,
  { size, stride }: RankGroup,
): { local: number; domains: number } {
  const local = Math.max(1, Math.min(size, Math.floor(gpusPerDomain / stride)));
  return { local, domains: Math.ceil(size / local) };
}

/** Bytes a second of a message of `bytes`, interpolated in the logarithm of the size. */
export function bandwidthAt({ curve }: Link, bytes: number): number {
  const above = curve.findIndex(([size]) => size >= bytes);
  const high = curve[above];
  const low = curve[above - 1];
  if (high === undefined) return curve.at(-1)?.[1] ?? Number.POSITIVE_INFINITY;
  if (low === undefined) return high[1];
  const share = Math.log(bytes / low[0]) / Math.log(high[0] / low[0]);
  // Geometric, so that the time grows with the size wherever the table's does.
  return low[1] * (high[1] / low[1]) ** share;
}

/** Milliseconds that `bytes` occupy a link, its latency apart. */
function wireMs(link: Link, bytes: number): number {
  return bytes <= 0 ? 0 : (bytes / bandwidthAt(link, bytes)) * 1000;
}

/** Latency of `steps` messages one after the other. */
function latencyOf(link: Link, kind: "intra" | "inter", steps: number): number {
  return steps <= 0 ? 0 : link.latencyMs * (1 + STEP_SHARE[kind] * (steps - 1));
}

/**
 * `wireBytes` pass each rank of a ring; between nodes they are spread over the
 * ports of all ranks that share a node, and the slower link decides.
 */
function ringMs(
  cluster: Cluster,
  wireBytes: number,
  group: RankGroup,
  kind: "reduce" | "move",
): number {
  const { local, domains } = spread(cluster, group);
  const gain = kind === "reduce" && domains === 1 ? (cluster.intra.allReduceGain ?? 1) : 1;
  const nearMs = local > 1 ? wireMs(cluster.intra, wireBytes) / gain : 0;
  const farMs = domains > 1 ? wireMs(cluster.inter, wireBytes / local) : 0;
  return Math.max(nearMs, farMs);
}
