import type { Placement, Workload } from "../cost/workload.ts";
import { schemeOf } from "../layout/sizes.ts";
import { MinHeap } from "../partition/heap.ts";
import { busyBound, type PathBound } from "../schedule/path-bound.ts";
import { PathBounds } from "../schedule/path-bounds.ts";
import {
  arrangementBoundMs,
  type BoundLimits,
  isTooLarge,
  layerBoundMs,
  pipelineBoundMs,
} from "./bounds.ts";
import { type Candidate, costCandidate } from "./candidate.ts";
import type { Constraints } from "./constraints.ts";
import { type ModelParts, modelParts } from "./model-parts.ts";
import { recomputeForms } from "./recompute-forms.ts";
import { hidesCommunication, leastCostsUnder } from "./scheduled-costs.ts";
import { is1F1B, type Solved, solveCandidate } from "./solve-candidate.ts";
import { type Arrangement, type LayerKey, Space } from "./space.ts";
import { whyNotExpressible } from "./targets.ts";

export interface SearchOptions {
  /** Look at every candidate instead of stopping at the proven best; for tests. */
  exhaustive?: boolean | undefined;
}

/** A placement that misses the memory, and by how much on its fullest GPU. */
export interface Closest {
  placement: Placement;
  missingBytes: number;
}

export interface SearchResult {
  best: Solved | undefined;
  /** Different in kind (scheme, schedule, pipeline, tensor parallelism), fastest first. */
  others: Solved[];
  /** Legal (layout, micro-batch, schedule). */
  numCandidates: number;
  /** Of these, cut into stages and simulated. */
  numSolved: number;
  /** The one that misses the memory by least, when none fits. */
  closest: Closest | undefined;
}

type Node =
  | { level: "layer"; key: LayerKey }
  | {
      level: "arrangement";
      placement: Placement;
      schedule: Arrangement["schedule"];
      /** Whether its place in the queue is by the bound of its schedule, or by any schedule's. */
      isBounded: boolean;
    };

/** Simulations of a candidate before it is known whether it can win. */
const QUICK_SIMULATIONS = 3;

/** Passes to simulate for the stages of the winner, some 50 ms. */
const PASSES_OF_WINNER = 500_000;

/** Candidates looked at for the one that comes closest, when none fits. */
const MAX_UNFIT = 64;

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
  return new LayoutSearch(workload, constraints, options).run();
}

class LayoutSearch {
  readonly #workload: Workload;
  readonly #constraints: Constraints;
  readonly #isExhaustive: boolean;
  readonly #parts: ModelParts;
  readonly #space: Space;
  readonly #paths = new PathBounds();
  readonly #heap = new MinHeap<Node>();
  readonly #byKind = new Map<string, Solved>();
  #best: Solved | undefined;
  #numSolved = 0;

  constructor(workload: Workload, constraints: Constraints, { exhaustive }: SearchOptions) {
    this.#workload = workload;
    this.#constraints = constraints;
    this.#isExhaustive = exhaustive === true;
    this.#parts = modelParts(workload.model, constraints.target === "moestro");
    this.#space = new Space(workload, constraints, this.#parts.parts.length);
  }

  run(): SearchResult {
    this.#pushLayers();
    const unfit: Extract<Node, { level: "arrangement" }>[] = [];
    for (let entry = this.#heap.pop(); entry !== undefined; entry = this.#heap.pop()) {
      const { priority, value } = entry;
      if (this.#best !== undefined && priority >= this.#toBeatMs) break;
      if (value.level === "layer") this.#pushArrangements(value.key);
      else if (!value.isBounded) this.#pushBounded(value);
      else if (priority === Number.POSITIVE_INFINITY) unfit.push(value);
      else if (!this.#solve(value.placement, value.schedule)) unfit.push(value);
    }
    const kept = this.#best;
    const best = kept && this.#polished(kept);
    const others = [...this.#byKind.values()]
      .filter((solved) => solved !== kept)
      .sort((a, b) => a.stepTimeMs - b.stepTimeMs);
    return {
      best,
      others,
      numCandidates: this.#space.count(),
      numSolved: this.#numSolved,
      closest: best === undefined ? this.#closest(unfit) : undefined,
    };
  }

  /** The stages of the winner again, with more time for those that a local search finds. */
  #polished(solved: Solved): Solved {
    const { candidate, schedule, constraints } = solved;
    const { placement } = candidate;
    if (is1F1B(schedule, placement.pipelineParallel)) return solved;
    const uncosted = costCandidate(this.#workload, placement, this.#parts);
    const limits = { boundMs: solved.boundMs, maxPasses: PASSES_OF_WINNER };
    const again = solveCandidate(uncosted, this.#parts, constraints, schedule, limits);
    return "stages" in again && again.stepTimeMs < solved.stepTimeMs ? again : solved;
  }

  /** Step time under which a candidate is of interest. */
  get #toBeatMs(): number {
    if (this.#isExhaustive) return Number.POSITIVE_INFINITY;
    return this.#best?.stepTimeMs ?? Number.POSITIVE_INFINITY;
  }

  #pushLayers(): void {
    const keys = [...this.#space.attentionKeys()];
    const small = keys.filter((key) => !isTooLarge(this.#workload, this.#constraints, key));
    // When none fits, the search goes on to tell what comes closest.
    for (const attention of small.length > 0 ? small : keys) {
      for (const key of this.#space.layerKeys(attention)) {
        const bound = layerBoundMs(this.#workload, this.#constraints, this.#parts, key);
        this.#heap.push(bound, { level: "layer", key });
      }
    }
  }

  #pushArrangements(key: LayerKey): void {
    let candidate: Candidate | undefined;
    let busyMs = new Map<boolean, number>();
    for (const { schedule, ...sizes } of this.#space.arrangements(key)) {
      const placement = { ...key, ...sizes };
      const { target } = this.#constraints;
      const layout = { ...placement, schedule };
      if (whyNotExpressible(target, layout, this.#workload) !== undefined) continue;
      const { pipelineParallel } = placement;
      // Neighbours differ in how they are scheduled alone, which costs nothing.
      if (candidate?.placement.pipelineParallel === pipelineParallel) {
        candidate = { ...candidate, placement };
      } else {
        candidate = costCandidate(this.#workload, placement, this.#parts);
        busyMs = new Map();
      }
      const isBounded = is1F1B(schedule, pipelineParallel);
      const hides = hidesCommunication(schedule);
      let bound = isBounded ? this.#boundMs(candidate, schedule) : busyMs.get(hides);
      if (bound === undefined) {
        bound = this.#boundMs(candidate, schedule, busyBound(pipelineParallel));
        busyMs.set(hides, bound);
      }
      this.#heap.push(bound, { level: "arrangement", placement, schedule, isBounded });
    }
  }

  /** Puts an arrangement where its own schedule's bound has it. */
  #pushBounded(node: Extract<Node, { level: "arrangement" }>): void {
    const candidate = costCandidate(this.#workload, node.placement, this.#parts);
    this.#heap.push(this.#boundMs(candidate, node.schedule), { ...node, isBounded: true });
  }

  #boundMs(
    candidate: Candidate,
    schedule: Arrangement["schedule"],
    path: PathBound | undefined = this.#path(candidate, schedule),
  ): number {
    const limits = this.#boundLimits(this.#toBeatMs);
    const bounds = leastCostsUnder(schedule, candidate).map((least) =>
      arrangementBoundMs(least, this.#parts, limits, path),
    );
    return Math.max(...bounds);
  }

  #boundLimits(limitMs: number): BoundLimits {
    const { recompute, reserveBytes } = this.#constraints;
    return { recompute, reserveBytes, limitMs };
  }

  /** Of the pipeline alone, whatever is to beat. */
  #pipelineBoundMs(candidate: Candidate, schedule: Arrangement["schedule"], path: PathBound) {
    const limits = this.#boundLimits(Number.POSITIVE_INFINITY);
    const bounds = leastCostsUnder(schedule, candidate).map((least) =>
      pipelineBoundMs(least, this.#parts, limits, path),
    );
    return Math.max(...bounds);
  }

  #path({ placement, numMicroBatches }: Candidate, schedule: Arrangement["schedule"]) {
    const { pipelineParallel, virtualPipeline } = placement;
    if (is1F1B(schedule, pipelineParallel)) return undefined;
    const numParts = this.#parts.parts.length;
    return this.#paths.of(schedule, pipelineParallel, numMicroBatches, virtualPipeline, numParts);
  }

  /** Cuts a placement into stages; false when it does not fit. */
  #solve(placement: Placement, schedule: Arrangement["schedule"]): boolean {
    const toBeatMs = this.#toBeatMs;
    const candidate = costCandidate(this.#workload, placement, this.#parts);
    // The bound is tighter once there is a time to beat.
    if (this.#best !== undefined && this.#boundMs(candidate, schedule) >= toBeatMs) return true;
    const forms = this.#forms(placement, schedule);
    const results = forms.map((form) => this.#solveForm(candidate, schedule, form));
    return results.some((fits) => fits);
  }

  /** `#solve` with one form of recompute. */
  #solveForm(candidate: Candidate, schedule: Arrangement["schedule"], form: Constraints): boolean {
    const { placement } = candidate;
    const toBeatMs = this.#toBeatMs;
    let solved = this.#stages(candidate, schedule, form, toBeatMs, QUICK_SIMULATIONS);
    if ("missingBytes" in solved) return false;
    if ("cutoffMs" in solved) return true;
    this.#numSolved++;
    const bestCaseMs = solved.stepTimeMs - (solved.simulatedMs - solved.boundMs);
    const isProvable = is1F1B(schedule, placement.pipelineParallel);
    if (isProvable && solved.gap > 0 && bestCaseMs < toBeatMs) {
      const again = this.#stages(candidate, schedule, form, Number.POSITIVE_INFINITY);
      if ("stages" in again && again.stepTimeMs <= solved.stepTimeMs) solved = again;
    }
    this.#keep(solved);
    return true;
  }

  /** Forms of recompute; those of more layers than a chunk of equal ones has say the same as all. */
  #forms(
    { pipelineParallel, virtualPipeline }: Placement,
    schedule: Arrangement["schedule"],
  ): Constraints[] {
    const numChunks = pipelineParallel * virtualPipeline;
    const mostLayers = 2 * Math.ceil(this.#workload.model.layers.length / numChunks);
    return recomputeForms(this.#constraints, schedule, mostLayers);
  }

  #stages(
    candidate: Candidate,
    schedule: Arrangement["schedule"],
    form: Constraints,
    cutoffMs: number,
    maxSimulations?: number,
  ) {
    const path = this.#path(candidate, schedule);
    const boundMs = path && this.#pipelineBoundMs(candidate, schedule, path);
    const limits = { cutoffMs, maxSimulations, boundMs };
    return solveCandidate(candidate, this.#parts, form, schedule, limits);
  }

  #keep(solved: Solved): void {
    const { placement } = solved.candidate;
    const { pipelineParallel, tensorParallel } = placement;
    const kind = [schemeOf(placement), solved.schedule, pipelineParallel, tensorParallel].join(" ");
    const known = this.#byKind.get(kind);
    if (known === undefined || solved.stepTimeMs < known.stepTimeMs) this.#byKind.set(kind, solved);
    if (this.#best === undefined || solved.stepTimeMs < this.#best.stepTimeMs) this.#best = solved;
  }

  /** Of placements that do not fit, the one that misses least. */
  #closest(unfit: readonly Extract<Node, { level: "arrangement" }>[]): Closest | undefined {
    let closest: Closest | undefined;
    const byWeights = unfit
      .map((node) => ({
        ...node,
        candidate: costCandidate(this.#workload, node.placement, this.#parts),
      }))
      .sort(
        (a, b) => staticBytes(a.candidate, this.#parts) - staticBytes(b.candidate, this.#parts),
      );
    for (const { placement, schedule, candidate } of byWeights.slice(0, MAX_UNFIT)) {
      for (const form of this.#forms(placement, schedule)) {
        const limitMs = Number.POSITIVE_INFINITY;
        const solved = this.#stages(candidate, schedule, form, limitMs, QUICK_SIMULATIONS);
        if (!("missingBytes" in solved)) continue;
        if (closest === undefined || solved.missingBytes < closest.missingBytes) {
          closest = { placement, missingBytes: solved.missingBytes };
        }
      }
    }
    return closest;
  }
}

/** Weights, gradients and optimizer state of the mean rank. */
function staticBytes({ classCosts, placement }: Candidate, { classes }: ModelParts): number {
  const all = classes.reduce(
    (sum, { count }, index) => sum + count * (classCosts[index]?.staticBytes ?? 0),
    0,
  );
  return all / placement.pipelineParallel;
}
