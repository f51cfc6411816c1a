import type { PartitionUnfit } from "./problem.ts";
import type { StageCosts } from "./stage-costs.ts";

/** Whether some split misses no more than this many bytes on any stage. */
export function fitsWithin(costs: StageCosts, missingBytes: number): boolean {
  return splitWithin(costs, missingBytes) !== undefined;
}

/** Says which stage lacks how much memory in the split whose worst stage misses least. */
export function whyUnfit(costs: StageCosts, fixed?: readonly number[]): PartitionUnfit {
  const ends = fixed ?? leastMissing(costs);
  let worst = { stage: 0, from: 0, to: 0, missing: Number.NEGATIVE_INFINITY };
  let from = 0;
  for (const [stage, to] of ends.entries()) {
    const missing = costs.missingBytes(stage, from, to);
    if (missing > worst.missing) worst = { stage, from, to, missing };
    from = to;
  }
  const { stage, missing } = worst;
  const need = (costs.memory[stage] as number) + missing;
  const which = fixed === undefined ? "in the split that comes closest " : "";
  return {
    missingBytes: missing,
    reason: `${which}stage ${stage} (layers ${worst.from} to ${worst.to - 1}) needs ${gigabytes(need)} with the cheapest options and has ${gigabytes(costs.memory[stage] as number)}: ${gigabytes(missing)} are missing; use more stages, options that keep less, or more memory`,
  };
}

function leastMissingBytes(costs: StageCosts, stage: number, from: number, to: number): number {
  if (costs.problem.recomputeFirst !== undefined) return costs.missingBytes(stage, from, to);
  const budget = costs.budget(stage, from, to);
  return costs.knapsack.leastMissing(from, to, budget, costs.inFlight(stage));
}

/** Ends of the split whose worst stage misses least. */
function leastMissing(costs: StageCosts): number[] {
  const { stages } = costs.problem;
  const even = Array.from({ length: stages }, (_, stage) =>
    Math.floor(((stage + 1) * costs.numLayers) / stages),
  );
  let best = even;
  let high = mostMissing(costs, even);
  // At most as far below as everything that the memory holds.
  let low = -Math.max(...costs.memory) - 1;
  const precision = 1e-9 * Math.max(Math.abs(high), Math.abs(low));
  while (high - low > precision) {
    const middle = low + (high - low) / 2;
    const ends = splitWithin(costs, middle);
    if (ends === undefined) low = middle;
    else {
      best = ends;
      high = Math.min(middle, mostMissing(costs, ends));
    }
  }
  return best;
}

function mostMissing(costs: StageCosts, ends: readonly number[]): number {
  const each = ends.map((to, stage) => leastMissingBytes(costs, stage, ends[stage - 1] ?? 0, to));
  return Math.max(...each);
}

/**
 * Ends of a split none of whose stages misses more; undefined when there is none.
 * More layers miss more, so of all first layers a stage may have, the last one tells.
 */
function splitWithin(costs: StageCosts, mostBytes: number): number[] | undefined {
  const { numLayers } = costs;
  const { stages } = costs.problem;
  /** First layer of each stage by its end; absent where no split ends there. */
  const firsts: Map<number, number>[] = [];
  let starts: { has(layer: number): boolean } = new Set([0]);
  for (let stage = 0; stage < stages; stage++) {
    const first = new Map<number, number>();
    let from: number | undefined;
    for (let to = 1; to <= numLayers; to++) {
      if (starts.has(to - 1)) from = to - 1;
      if (from === undefined) continue;
      if (leastMissingBytes(costs, stage, from, to) <= mostBytes) first.set(to, from);
    }
    firsts.push(first);
    starts = first;
  }
  const ends: number[] = [];
  let to: number | undefined = numLayers;
  for (const first of firsts.reverse()) {
    if (to === undefined || !first.has(to)) return undefined;
    ends.unshift(to);
    to = first.get(to);
  }
  return ends;
}

function gigabytes(bytes: number): string {
  return Math.abs(bytes) >= 1e8 ? `${(bytes / 1e9).toFixed(2)} GB` : `${bytes.toFixed(0)} bytes`;
}
