import { RECOMPUTE_KINDS, type RecomputeKind } from "../cost/workload.ts";

/** What a decoder layer costs at least, over all classes of a model. */
export interface LeastLayer {
  count: number;
  /** Forward and backward. */
  timeMs: number;
  staticBytes: number;
  activationBytes: Record<RecomputeKind, number>;
  recomputeMs: Record<RecomputeKind, number>;
}

interface Segment {
  layers: number;
  /** Extra time of one more layer. */
  slopeMs: number;
}

/**
 * A lower bound on the extra backward time that all stages need together to fit
 * a memory, with layers as a fluid: rank i, which keeps K micro-batches alive, takes
 * any number n of them up to `most`, and pays the least recompute with which n·static + K·n·activation fits. That price is
 * convex and piecewise linear in n, so filling the cheapest segments first gives
 * the minimum. Infinite when not all layers find room.
 */
export function leastExtraMs(
  layer: LeastLayer,
  kinds: readonly RecomputeKind[],
  inFlightOfRank: readonly number[],
  memoryBytes: number,
  most: number,
): number {
  const options = hull(layer, kinds);
  const segments = inFlightOfRank.flatMap((inFlight) =>
    segmentsOf(layer, options, inFlight, memoryBytes, most),
  );
  segments.sort((a, b) => a.slopeMs - b.slopeMs);
  let left = layer.count;
  let extra = 0;
  for (const { layers, slopeMs } of segments) {
    const taken = Math.min(left, layers);
    extra += taken * slopeMs;
    left -= taken;
    if (left <= 0) return extra;
  }
  return left > 1e-9 * layer.count ? Number.POSITIVE_INFINITY : extra;
}

/**
 * A lower bound on the extra time of the fullest rank. Where no rank holds more than
 * `most` layers, several hold at least the p-th part of all, rounded up, and the
 * last of these in the order of what that costs them pays no less.
 */
export function fullestExtraMs(
  layer: LeastLayer,
  kinds: readonly RecomputeKind[],
  inFlightOfRank: readonly number[],
  memoryBytes: number,
  most: number,
): number {
  const numRanks = inFlightOfRank.length;
  const full = Math.ceil(layer.count / numRanks);
  const overfull = layer.count - numRanks * (full - 1);
  const numFull = Math.ceil(overfull / Math.max(1, most - full + 1));
  const options = hull(layer, kinds);
  const prices = inFlightOfRank.map((inFlight) => {
    let price = 0;
    let left = full;
    for (const { layers, slopeMs } of segmentsOf(layer, options, inFlight, memoryBytes, full)) {
      price += layers * slopeMs;
      left -= layers;
    }
    return left > 1e-9 * full ? Number.POSITIVE_INFINITY : price;
  });
  prices.sort((a, b) => a - b);
  return prices[Math.min(numFull, numRanks) - 1] as number;
}

/** What a rank pays for one more layer, from its first to the last that has room. */
function segmentsOf(
  layer: LeastLayer,
  options: readonly Option[],
  inFlight: number,
  memoryBytes: number,
  most: number,
): Segment[] {
  const segments: Segment[] = [];
  let filled = 0;
  for (let at = 0; at < options.length && filled < most; at++) {
    const option = options[at] as Option;
    const room = memoryBytes / (layer.staticBytes + inFlight * option.activationBytes);
    const end = Math.min(most, room);
    if (end <= filled) continue;
    segments.push({ layers: end - filled, slopeMs: slope(layer, options, at, inFlight) });
    filled = end;
  }
  return segments;
}

interface Option {
  extraMs: number;
  activationBytes: number;
}

/** Price of one more layer while layers move from the option before to this one. */
function slope(
  { staticBytes }: LeastLayer,
  options: readonly Option[],
  at: number,
  inFlight: number,
): number {
  const here = options[at] as Option;
  const before = options[at - 1];
  if (before === undefined) return here.extraMs;
  const perByte = (here.extraMs - before.extraMs) / (before.activationBytes - here.activationBytes);
  return before.extraMs + perByte * (staticBytes / inFlight + before.activationBytes);
}

/** Lower convex hull of the options, from the quickest to the smallest. */
function hull(
  { activationBytes, recomputeMs }: LeastLayer,
  kinds: readonly RecomputeKind[],
): Option[] {
  const all = RECOMPUTE_KINDS.filter((kind) => kinds.includes(kind))
    .map((kind) => ({ extraMs: recomputeMs[kind], activationBytes: activationBytes[kind] }))
    .sort((a, b) => a.extraMs - b.extraMs || a.activationBytes - b.activationBytes);
  const kept: Option[] = [];
  for (const option of all) {
    const last = kept.at(-1);
    if (last !== undefined && option.activationBytes >= last.activationBytes) continue;
    while (kept.length > 1 && !isConvex(kept.at(-2) as Option, kept.at(-1) as Option, option))
      kept.pop();
    kept.push(option);
  }
  return kept;
}

function isConvex(a: Option, b: Option, c: Option): boolean {
  const first = (b.extraMs - a.extraMs) / (a.activationBytes - b.activationBytes);
  const second = (c.extraMs - b.extraMs) / (b.activationBytes - c.activationBytes);
  return first <= second;
}
