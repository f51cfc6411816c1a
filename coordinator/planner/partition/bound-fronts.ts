import type { StageCosts } from "./stage-costs.ts";
import { stageTerm } from "./stage-term.ts";

/** A stage of a split as its bound sees it. */
export interface StageShape {
  stage: number;
  from: number;
  to: number;
  extraMs: number;
}

/**
 * Pareto front of what stages k.. may come to from a first layer on: `extra` is
 * their recompute in all, `term` the largest of their bounds counted from the
 * work in front without its recompute.
 */
interface Front {
  extra: number[];
  term: number[];
}

/** More points than this are joined, towards a lower bound. */
const MAX_POINTS = 48;

/**
 * The least possible bound from (stage, first layer) to the end, by dynamic
 * programming over the stages from the last. Recompute in front of a stage
 * delays it and recompute behind it comes back to it, so a state keeps both: the
 * extra time behind, and the terms, which grow by what is put in front.
 * Intervals whose own work alone passes `limitMs` are left out.
 */
export class BoundFronts {
  readonly #costs: StageCosts;
  readonly #limitMs: number;
  readonly #fronts: Map<number, Front>[];
  readonly #total: number;

  constructor(costs: StageCosts, limitMs: number) {
    this.#costs = costs;
    this.#limitMs = limitMs;
    const { stages, p2pMs } = costs.problem;
    const { numLayers } = costs;
    this.#total =
      costs.forwardMs(0, numLayers) + costs.backwardMs(0, numLayers) + 2 * p2pMs * (stages - 1);
    this.#fronts = Array.from({ length: stages + 1 }, () => new Map<number, Front>());
    (this.#fronts[stages] as Map<number, Front>).set(numLayers, { extra: [0], term: [0] });
    for (let stage = stages - 1; stage >= 0; stage--) {
      const rows = this.#fronts[stage] as Map<number, Front>;
      const last = stage === 0 ? 0 : numLayers - (stages - stage);
      for (let from = stage; from <= last; from++) {
        const front = this.#join(stage, from);
        if (front.extra.length > 0) rows.set(from, front);
      }
    }
  }

  /** No split within the limit is faster; infinite when there is none. */
  get leastMs(): number {
    return this.completionMs([], 0, 0);
  }

  /**
   * The least bound of a split that begins with the given stages.
   *
   * @param begun stages 0..k−1; their bounds depend on what follows
   * @param stage k
   * @param from first layer of stage k
   */
  completionMs(begun: readonly StageShape[], stage: number, from: number): number {
    const front = this.#fronts[stage]?.get(from);
    if (front === undefined) return Number.POSITIVE_INFINITY;
    let inFront = 0;
    for (const { extraMs } of begun) inFront += extraMs;
    let least = Number.POSITIVE_INFINITY;
    for (let point = 0; point < front.extra.length; point++) {
      const behind = front.extra[point] as number;
      let bound = Math.max(inFront + (front.term[point] as number), this.#total + inFront + behind);
      let before = 0;
      for (const shape of begun) {
        if (bound >= least) break;
        const after = inFront - before - shape.extraMs + behind;
        bound = Math.max(bound, this.#term(shape, before, after));
        before += shape.extraMs;
      }
      least = Math.min(least, bound);
    }
    return least;
  }

  /** Ends that stage may have, with the recompute each needs; ascending. */
  *ends(stage: number, from: number): Generator<StageShape> {
    const { stages, microBatches } = this.#costs.problem;
    const { numLayers } = this.#costs;
    const behind = stages - stage - 1;
    const last = numLayers - behind;
    for (let to = behind === 0 ? last : from + 1; to <= last; to++) {
      const extraMs = this.#costs.leastExtraMs(stage, from, to);
      const own = this.#costs.forwardMs(from, to) + this.#costs.backwardMs(from, to) + extraMs;
      // A longer stage needs more memory and more time still.
      if (extraMs === Number.POSITIVE_INFINITY || microBatches * own > this.#limitMs) return;
      yield { stage, from, to, extraMs };
    }
  }

  #join(stage: number, from: number): Front {
    const points: [extra: number, term: number][] = [];
    const next = this.#fronts[stage + 1] as Map<number, Front>;
    for (const shape of this.ends(stage, from)) {
      const front = next.get(shape.to);
      if (front === undefined) continue;
      for (let point = 0; point < front.extra.length; point++) {
        const behind = front.extra[point] as number;
        const own = this.#term(shape, 0, behind);
        const term = Math.max(own, (front.term[point] as number) + shape.extraMs);
        if (term <= this.#limitMs) points.push([behind + shape.extraMs, term]);
      }
    }
    return pareto(points);
  }

  /** Bound of one stage, given recompute in front of and behind it. */
  #term({ stage, from, to, extraMs }: StageShape, before: number, after: number): number {
    const costs = this.#costs;
    const { stages, microBatches, p2pMs } = costs.problem;
    const { numLayers } = costs;
    const hops = stages - 1 - stage;
    return stageTerm(
      costs.forwardMs(0, from) + costs.backwardMs(0, from) + 2 * p2pMs * stage + before,
      costs.forwardMs(from, to),
      costs.backwardMs(from, to) + extraMs,
      costs.forwardMs(to, numLayers) + costs.backwardMs(to, numLayers) + 2 * p2pMs * hops + after,
      microBatches,
      Math.min(microBatches, hops),
    );
  }
}

function pareto(points: [extra: number, term: number][]): Front {
  points.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const front: Front = { extra: [], term: [] };
  let least = Number.POSITIVE_INFINITY;
  for (const [extra, term] of points) {
    if (term >= least) continue;
    least = term;
    front.extra.push(extra);
    front.term.push(term);
  }
  return front.extra.length > MAX_POINTS ? thin(front) : front;
}

/** Joins neighbours into one that is at least as good as each. */
function thin({ extra, term }: Front): Front {
  const joined: Front = { extra: [], term: [] };
  const step = extra.length / MAX_POINTS;
  for (let index = 0; index < MAX_POINTS; index++) {
    const first = Math.floor(index * step);
    const last = Math.floor((index + 1) * step) - 1;
    joined.extra.push(extra[first] as number);
    joined.term.push(term[last] as number);
  }
  return joined;
}
