import type { Cluster } from "../hardware/cluster.ts";
import { type Fields, numberOf } from "./fields.ts";

/**
 * What the probe before a run gathered over all ranks, in bytes. The file does
 * not say; with 1 GB the time that a collective costs a rank is the same in the
 * probes of 4 to 64 nodes (0.29 ms to 0.32 ms) and in the layers of the runs.
 */
const PROBE_BYTES = 1e9;

/** Milliseconds that the gather takes where only the network counts: what most probes of a size show. */
const usualMs = (nodes: number) => 3.9 + 0.3 * nodes;

/** Beyond this a probe was slow for another reason. */
const USUAL_SPREAD = 1.15;

/** Bus rate of an all-reduce inside a node as most probes show it, in GB/s. */
const USUAL_INSIDE = 425;

/**
 * The cluster with what the row's own probe says. On most days its gather took
 * 0.3 ms for each rank of the job, hidden only behind the transfer itself (root
 * of squares): the host's work, as runs show, since their layers take at least
 * ten times that for each rank of the tensor-parallel group, whatever they compute.
 * On some, a tenth of NVLink's rate is all that was seen inside the node.
 */
export function withProbedNetwork(cluster: Cluster, fields: Fields): Cluster {
  if (isNvlinkUnused(fields)) return withoutNvlink(cluster, fields);
  const rate = numberOf(fields, "allgather_gbps");
  if (rate === undefined || cluster.nodes === 1) return cluster;
  const gatherMs = PROBE_BYTES / rate / 1e6;
  const usual = usualMs(cluster.nodes);
  if (gatherMs < USUAL_SPREAD * usual) return cluster;
  const ranks = cluster.nodes * cluster.gpusPerNode;
  return { ...cluster, collectiveRankMs: Math.sqrt(gatherMs ** 2 - usual ** 2) / ranks };
}

/** A probe inside the node that reached far less than NVLink gives. */
export function isNvlinkUnused(fields: Fields): boolean {
  return (numberOf(fields, "ar_intra_gbps") ?? USUAL_INSIDE) < USUAL_INSIDE / 4;
}

function withoutNvlink(cluster: Cluster, fields: Fields): Cluster {
  const share = (numberOf(fields, "ar_intra_gbps") ?? USUAL_INSIDE) / USUAL_INSIDE;
  const curve = cluster.intra.curve.map(([bytes, rate]) => [bytes, share * rate] as const);
  return { ...cluster, intra: { ...cluster.intra, curve } };
}
