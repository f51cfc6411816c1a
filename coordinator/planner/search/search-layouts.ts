import type { Placement, Workload } from "../cost/workload.ts";
import { MinHeap } from "../partition/heap.ts";
import type { ScheduleName } from "../plan-document.ts";
import { BestOfKind } from "./best-of-kind.ts";
import { type Candidate, costCandidate } from "./candidate.ts";
import { CandidateBounds } from "./candidate-bounds.ts";
import { type Closest, closestUnfit } from "./closest-unfit.ts";
import type { Constraints } from "./constraints.ts";
import { isTooLarge, layerBoundMs } from "./layer-bound.ts";
import { modelParts } from "./model-parts.ts";
import { hidesCommunication } from "./scheduled-costs.ts";
import type { Solved } from "./solve-candidate.ts";
import { formsOf, polished, type SearchContext, solveForm } from "./solve-form.ts";
import { is1F1B } from "./solve-stages.ts";
import { type LayerKey, Space } from "./space.ts";
import { whyNotExpressible } from "./targets.ts";

export interface SearchOptions {
  /** Look at every candidate instead of stopping at the proven best; for tests. */
  exhaustive?: boolean | undefined;
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

type LayerNode = { level: "layer"; key: LayerKey };

type ArrangementNode = {
  level: "arrangement";
  placement: Placement;
  schedule: ScheduleName;
  /** Whether its place in the queue is by the bound of its schedule, or by any schedule's. */
  isBounded: boolean;
};

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
  readonly #context: SearchContext;
  readonly #isExhaustive: boolean;
  readonly #space: Space;
  readonly #queue = new MinHeap<LayerNode | ArrangementNode>();
  readonly #found = new BestOfKind();
  #numSolved = 0;

  constructor(workload: Workload, constraints: Constraints, { exhaustive }: SearchOptions) {
    const parts = modelParts(workload.model, constraints.target === "moestro");
    const bounds = new CandidateBounds(constraints, parts);
    this.#context = { workload, constraints, parts, bounds };
    this.#isExhaustive = exhaustive === true;
    this.#space = new Space(workload, constraints, parts.parts.length);
  }

  run(): SearchResult {
    this.#pushLayers();
    const unfit: ArrangementNode[] = [];
    for (let entry = this.#queue.pop(); entry !== undefined; entry = this.#queue.pop()) {
      const { priority, value } = entry;
      if (this.#found.best !== undefined && priority >= this.#toBeatMs) break;
      if (value.level === "layer") this.#pushArrangements(value.key);
      else if (!value.isBounded) this.#pushBounded(value);
      else if (priority === Number.POSITIVE_INFINITY) unfit.push(value);
      else if (!this.#solve(value)) unfit.push(value);
    }
    const { best } = this.#found;
    return {
      best: best && polished(this.#context, best),
      others: this.#found.others(),
      numCandidates: this.#space.count(),
      numSolved: this.#numSolved,
      closest: best === undefined ? closestUnfit(this.#context, unfit) : undefined,
    };
  }

  /** Step time under which a candidate is of interest. */
  get #toBeatMs(): number {
    if (this.#isExhaustive) return Number.POSITIVE_INFINITY;
    return this.#found.best?.stepTimeMs ?? Number.POSITIVE_INFINITY;
  }

  #pushLayers(): void {
    const { workload, constraints, parts } = this.#context;
    const keys = [...this.#space.attentionKeys()];
    const small = keys.filter((key) => !isTooLarge(workload, constraints, key));
    // When none fits, the search goes on to tell what comes closest.
    for (const attention of small.length > 0 ? small : keys) {
      for (const key of this.#space.layerKeys(attention)) {
        const bound = layerBoundMs(workload, constraints, parts, key);
        this.#queue.push(bound, { level: "layer", key });
      }
    }
  }

  #pushArrangements(key: LayerKey): void {
    const { workload, constraints, parts, bounds } = this.#context;
    let candidate: Candidate | undefined;
    let busyMs = new Map<boolean, number>();
    for (const { schedule, ...sizes } of this.#space.arrangements(key)) {
      const placement = { ...key, ...sizes };
      const layout = { ...placement, schedule };
      if (whyNotExpressible(constraints.target, layout, workload) !== undefined) continue;
      const { pipelineParallel } = placement;
      // Neighbours differ in how they are scheduled alone, which costs nothing.
      if (candidate?.placement.pipelineParallel === pipelineParallel) {
        candidate = { ...candidate, placement };
      } else {
        candidate = costCandidate(workload, placement, parts);
        busyMs = new Map();
      }
      const isBounded = is1F1B(schedule, pipelineParallel);
      const hides = hidesCommunication(schedule);
      let bound = isBounded
        ? bounds.stepMs(candidate, schedule, this.#toBeatMs)
        : busyMs.get(hides);
      if (bound === undefined) {
        bound = bounds.anyStepMs(candidate, schedule, this.#toBeatMs);
        busyMs.set(hides, bound);
      }
      this.#queue.push(bound, { level: "arrangement", placement, schedule, isBounded });
    }
  }

  /** Puts an arrangement where its own schedule's bound has it. */
  #pushBounded(node: ArrangementNode): void {
    const { workload, parts, bounds } = this.#context;
    const candidate = costCandidate(workload, node.placement, parts);
    const bound = bounds.stepMs(candidate, node.schedule, this.#toBeatMs);
    this.#queue.push(bound, { ...node, isBounded: true });
  }

  /** Cuts a placement into stages; false when it does not fit. */
  #solve({ placement, schedule }: ArrangementNode): boolean {
    const { workload, parts, bounds } = this.#context;
    const toBeatMs = this.#toBeatMs;
    const candidate = costCandidate(workload, placement, parts);
    // The bound is tighter once there is a time to beat.
    const mayBeTighter = this.#found.best !== undefined;
    if (mayBeTighter && bounds.stepMs(candidate, schedule, toBeatMs) >= toBeatMs) return true;
    let fits = false;
    for (const form of formsOf(this.#context, placement, schedule)) {
      const solved = solveForm(this.#context, candidate, schedule, form, this.#toBeatMs);
      if ("missingBytes" in solved) continue;
      fits = true;
      if ("cutoffMs" in solved) continue;
      this.#numSolved++;
      this.#found.keep(solved);
    }
    return fits;
  }
}
