import { memoryLimitBytes } from "../cost/memory/memory-limit.ts";
import { roundMs } from "../partition/block-term.ts";
import { inFlightOf } from "../partition/stage-costs.ts";
import { leastInFlight } from "../schedule/in-flight-peak.ts";
import { type PathBound, pathBoundMs } from "../schedule/path-bound.ts";
import { type Candidate, meanStaticBytes } from "./candidate.ts";
import type { Constraints } from "./constraints.ts";
import {
  fullestRankMs,
  leastLayer,
  leastRecomputeMs,
  leastTotalMs,
  workOfModel,
} from "./least-work.ts";
import type { ModelParts } from "./model-parts.ts";
import { meanOverheadMs } from "./overhead.ts";
import { fullestExtraMs, leastExtraMs } from "./recompute-bound.ts";

/** What a placement is judged against. */
export interface BoundLimits extends Pick<Constraints, "recompute" | "reserveBytes"> {
  /** Only a step under this is wanted. */
  limitMs: number;
}

/**
 * Lower bound on the step of one arrangement, whatever the split, with the least
 * recompute that fits. Infinite when that does not exist for a step under
 * `limitMs`.
 *
 * @param path of another schedule, with whose paths and micro-batches in flight
 *   the same holds
 */
export function arrangementBoundMs(
  candidate: Candidate,
  parts: ModelParts,
  limits: BoundLimits,
  path?: PathBound,
): number {
  const pipelineMs = pipelineBoundMs(candidate, parts, limits, path);
  if (pipelineMs === Number.POSITIVE_INFINITY) return pipelineMs;
  return pipelineMs + meanOverheadMs(candidate, parts);
}

/** `arrangementBoundMs` without what follows the pipeline. */
export function pipelineBoundMs(
  candidate: Candidate,
  parts: ModelParts,
  { recompute, reserveBytes, limitMs }: BoundLimits,
  path?: PathBound,
): number {
  const { workload, placement } = candidate;
  const p = placement.pipelineParallel;
  const m = candidate.numMicroBatches;
  const limit = memoryLimitBytes(workload.cluster, reserveBytes);
  if (meanStaticBytes(candidate, parts) > limit) return Number.POSITIVE_INFINITY;
  const least = leastLayer(candidate, parts);
  // Layers are whole; the tolerance is for rounding.
  const mostLayers = Math.min(least.count, Math.floor(limitMs / (m * least.timeMs) + 1e-9));
  if (mostLayers * p < least.count) return Number.POSITIVE_INFINITY;
  const inFlight =
    path === undefined
      ? Array.from({ length: p }, (_, stage) => inFlightOf(stage, p, m))
      : path.peaks.map((peak) => leastInFlight(peak, mostLayers));
  const spread = leastExtraMs(least, recompute, inFlight, limit, mostLayers);
  if (spread === Number.POSITIVE_INFINITY) return spread;
  const counted = leastRecomputeMs(least, recompute);
  const extra = Math.max(0, spread - least.count * counted);
  const extraOfFullest = fullestExtraMs(least, recompute, inFlight, limit, mostLayers);
  if (extraOfFullest === Number.POSITIVE_INFINITY) return extraOfFullest;
  const layersOfFullest = Math.ceil(least.count / p);
  const fullest =
    fullestRankMs(candidate, parts, recompute) +
    Math.max(0, extraOfFullest - layersOfFullest * counted);
  if (path !== undefined) {
    const work = workOfModel(candidate, parts, recompute);
    const inputGradMs = work.inputGradMs + extra;
    return Math.max(m * fullest, pathBoundMs(path, m, { ...work, inputGradMs }));
  }
  const total = leastTotalMs(candidate, parts, recompute) + extra;
  const busy = Math.max(m * fullest, total, (m * total) / p);
  return m > p ? Math.max(busy, filledMs(candidate, total, fullest)) : busy;
}

/**
 * The terms of partition/block-term.ts that hold for every split, for m > p: all
 * stages go round, and the fullest stage alone, where at most as full ones lie
 * before it: T ≥ 2A − i·(t + 2c) + (m − 1 − p + i)·t for the i-th.
 *
 * @param totalMs all stages' work for one micro-batch
 * @param fullestMs at most the fullest stage's
 */
function filledMs(
  { placement, numMicroBatches: m, p2pMs }: Candidate,
  totalMs: number,
  fullestMs: number,
): number {
  const p = placement.pipelineParallel;
  const hopsMs = 2 * p2pMs * (p - 1);
  return Math.max(
    2 * (totalMs + hopsMs) + roundMs({ size: p, workMs: totalMs, p2pMs }, m - 1 - p),
    2 * totalMs + hopsMs + (m - 1 - p) * fullestMs,
  );
}
