import type { Link } from "../../hardware/cluster.ts";
import type { Rates } from "./rates.ts";

/** Ranks of a communication group inside one NVLink domain, `stride` ranks apart. */
function perDomain(rates: Rates, size: number, stride: number): number {
  return Math.max(1, Math.min(size, Math.floor(rates.gpusPerDomain / stride)));
}

/** Bytes a ms of a link for messages of some bytes, interpolated in the logarithm of the size. */
function linkRate({ curve }: Link, bytes: number): number {
  let previous = curve[0];
  if (previous === undefined) return Number.POSITIVE_INFINITY;
  for (const point of curve) {
    if (bytes <= point[0]) {
      if (point === previous) return point[1] / 1000;
      const share = Math.log(bytes / previous[0]) / Math.log(point[0] / previous[0]);
      return (previous[1] + share * (point[1] - previous[1])) / 1000;
    }
    previous = point;
  }
  return previous[1] / 1000;
}

/**
 * All-gather or reduce-scatter of a tensor of `bytes` over a group, as a ring:
 * every rank moves (size − 1)/size of it. A ring that leaves the node runs at
 * the node's adapters that the group holds together, and waits at every boundary.
 */
export function ringMs(rates: Rates, size: number, stride: number, bytes: number): number {
  if (size <= 1 || bytes <= 0) return 0;
  const { machine, intra, inter } = rates;
  const inside = perDomain(rates, size, stride);
  const moved = ((size - 1) / size) * bytes;
  const local = linkRate(intra, bytes) * machine.intraShare;
  if (inside >= size) return intra.latencyMs + moved / local;
  const nodes = Math.ceil(size / inside);
  const outside = linkRate(inter, bytes) * machine.interShare * inside;
  const rate = inside > 1 ? Math.min(local, outside) : outside;
  const waits = (nodes - 1) * hopWait(rates) + intra.latencyMs * (inside > 1 ? 1 : 0);
  return inter.latencyMs + waits + moved / rate;
}

/** What a ring waits at one node boundary: at least what the link's own latency asks. */
function hopWait({ stack, inter }: Rates): number {
  return Math.max(stack.nodeHopMs, inter.latencyMs / 2);
}

/**
 * All-to-all in which every rank sends `bytes` in even shares to its group, a
 * share of them to itself. What stays in the node and what leaves it use
 * different links at once.
 */
export function exchangeMs(rates: Rates, size: number, stride: number, bytes: number): number {
  if (size <= 1 || bytes <= 0) return 0;
  const { machine, intra, inter } = rates;
  const inside = perDomain(rates, size, stride);
  const near = (bytes * (inside - 1)) / size;
  const far = (bytes * (size - inside)) / size;
  const nearMs =
    near > 0
      ? intra.latencyMs + (machine.allToAll * near) / (linkRate(intra, bytes) * machine.intraShare)
      : 0;
  if (far <= 0) return nearMs;
  const farMs =
    inter.latencyMs +
    (size / inside - 1) * 0.1 * hopWait(rates) +
    (machine.allToAll * far) / (linkRate(inter, bytes) * machine.interShare);
  return Math.max(nearMs, farMs);
}

/** One message to a rank `stride` ranks away. */
export function sendMs(rates: Rates, stride: number, bytes: number): number {
  const { machine, intra, inter } = rates;
  const isNear = stride < rates.gpusPerDomain;
  const link = isNear ? intra : inter;
  const share = isNear ? machine.intraShare : machine.interShare;
  return link.latencyMs + bytes / (linkRate(link, bytes) * share);
}
