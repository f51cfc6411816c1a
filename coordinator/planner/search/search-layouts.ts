import type { Placement, Workload } from "../cost/workload.ts";
import { schemeOf } from "../layout/sizes.ts";
import { MinHeap } from "../partition/heap.ts";
import { arrangementBoundMs, isTooLarge, layerBoundMs } from "./bounds.ts";
import { costCandidate } from "./candidate.ts";
import type { Constraints } from "./constraints.ts";
import { type ModelParts, modelParts } from "./model-parts.ts";
import { type Solved, solveCandidate } from "./solve-candidate.ts";
import { type Arrangement, type LayerKey, Space } from "./space.ts";
import { whyNotExpressible } from "./targets.ts";

export interface SearchOptions {
  /** Solved candidates are handed out, the best first met; for tables and tests. */
  onSolved?: ((solved: Solved) => void) | undefined;
  /** Look at every candidate instead of stopping at the proven best; for tests. */
  exhaustive?: boolean | undefined;
  /** Of candidates of one non-1F1B schedule that are solved at most. */
  maxSolvesPerSchedule?: number | undefined;
}

export interface SearchResult {
  best: Solved | undefined;
  /** Different in kind (scheme, schedule, pipeline length), fastest first. */
  others: Solved[];
  /** Legal (layout, micro-batch, schedule). */
  numCandidates: number;
  /** Of these, cut into stages and simulated. */
  numSolved: number;
  /** Of these, too large for the memory whatever is recomputed. */
  numUnfit: number;
  /** The one that misses the memory by least, when none fits. */
  closest: { placement: Placement; missingBytes: number } | undefined;
}

type Node =
  | { level: "layer"; key: LayerKey }
  | { level: "arrangement"; key: LayerKey; arrangement: Arrangement };

const MAX_SOLVES_PER_SCHEDULE = 6;

/** Simulations of a candidate that may yet lose; the winner gets more. */
const QUICK_SIMULATIONS = 3;

/**
 * The layout of least predicted step time. Best first over two levels, each
 * with a lower bound on the step time of everything below it: the time of a
 * layer for one micro-batch depends on TP, CP, EP, ETP and the micro-batch
 * alone, so whole families of layouts fall with one comparison. What is never
 * looked at cannot be faster than what was found.
 */
export function searchLayouts(
  workload: Workload,
  constraints: Constraints,
  options: SearchOptions = {},
): SearchResult {
  const { target } = constraints;
  const parts = modelParts(workload.model, target === "moestro");
  const space = new Space(workload, constraints, parts.parts.length);
  const heap = new MinHeap<Node>();
  for (const attention of space.attentionKeys()) {
    if (isTooLarge(workload, constraints, attention)) continue;
    for (const key of space.layerKeys(attention)) {
      heap.push(layerBoundMs(workload, constraints, parts, key), { level: "layer", key });
    }
  }
  const state = newState(space);
  for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
    const { priority, value } = entry;
    const bestMs = state.best?.stepTimeMs ?? Number.POSITIVE_INFINITY;
    if (priority >= bestMs && options.exhaustive !== true) break;
    if (value.level === "layer") {
      for (const arrangement of space.arrangements(value.key)) {
        const placement = placementOf(value.key, arrangement);
        if (
          whyNotExpressible(target, { ...placement, schedule: arrangement.schedule }) !== undefined
        )
          continue;
        const bound = arrangementBoundMs(workload, constraints, parts, placement, arrangement);
        heap.push(bound, { level: "arrangement", key: value.key, arrangement });
      }
    } else {
      solve(
        workload,
        constraints,
        parts,
        placementOf(value.key, value.arrangement),
        value.arrangement,
        options,
        state,
      );
    }
  }
  return finish(state);
}

interface State extends Omit<SearchResult, "others"> {
  byKind: Map<string, Solved>;
  solvesBySchedule: Map<string, number>;
}

function newState(space: Space): State {
  return {
    best: undefined,
    numCandidates: space.count(),
    numSolved: 0,
    numUnfit: 0,
    closest: undefined,
    byKind: new Map(),
    solvesBySchedule: new Map(),
  };
}

function solve(
  workload: Workload,
  constraints: Constraints,
  parts: ModelParts,
  placement: Placement,
  { schedule }: Arrangement,
  options: SearchOptions,
  state: State,
): void {
  const bestMs =
    options.exhaustive === true
      ? Number.POSITIVE_INFINITY
      : (state.best?.stepTimeMs ?? Number.POSITIVE_INFINITY);
  // The bound is tighter once there is a time to beat.
  if (arrangementBoundMs(workload, constraints, parts, placement, { schedule }, bestMs) >= bestMs)
    return;
  const { maxSolvesPerSchedule = MAX_SOLVES_PER_SCHEDULE } = options;
  if (schedule !== "1f1b") {
    const solves = state.solvesBySchedule.get(schedule) ?? 0;
    if (solves >= maxSolvesPerSchedule && options.exhaustive !== true) return;
    state.solvesBySchedule.set(schedule, solves + 1);
  }
  const candidate = costCandidate(workload, placement, parts);
  const solved = solveCandidate(candidate, parts, constraints, schedule, {
    cutoffMs: bestMs,
    maxSimulations: QUICK_SIMULATIONS,
  });
  if ("cutoffMs" in solved) return;
  if ("missingBytes" in solved) {
    state.numUnfit++;
    if (state.closest === undefined || solved.missingBytes < state.closest.missingBytes) {
      state.closest = { placement, missingBytes: solved.missingBytes };
    }
    return;
  }
  state.numSolved++;
  options.onSolved?.(solved);
  const kind = `${schemeOf(placement)} ${schedule} ${placement.pipelineParallel} ${placement.tensorParallel}`;
  const known = state.byKind.get(kind);
  if (known === undefined || solved.stepTimeMs < known.stepTimeMs) state.byKind.set(kind, solved);
  if (state.best === undefined || solved.stepTimeMs < state.best.stepTimeMs) state.best = solved;
}

function finish({ byKind, solvesBySchedule: _, ...state }: State): SearchResult {
  const others = [...byKind.values()]
    .filter((solved) => solved !== state.best)
    .sort((a, b) => a.stepTimeMs - b.stepTimeMs);
  return { ...state, others };
}

export function placementOf(key: LayerKey, arrangement: Arrangement): Placement {
  const { schedule: _, ...sizes } = arrangement;
  return { ...key, ...sizes };
}
