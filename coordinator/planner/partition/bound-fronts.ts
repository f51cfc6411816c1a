import { type Front, paretoFront } from "./pareto-front.ts";
import { StageBounds, type StageShape } from "./stage-bounds.ts";
import type { StageCosts } from "./stage-costs.ts";

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
  readonly #bounds: StageBounds;

  constructor(costs: StageCosts, limitMs: number) {
    this.#costs = costs;
    this.#limitMs = limitMs;
    this.#bounds = new StageBounds(costs);
    const { stages } = costs.problem;
    const { numLayers } = costs;
    this.#fronts = Array.from({ length: stages + 1 }, () => new Map<number, Front>());
    (this.#fronts[stages] as Map<number, Front>).set(numLayers, { extra: [0], term: [0] });
    const most = this.#lastStarts();
    const least = this.#firstStarts();
    for (let stage = stages - 1; stage >= 0; stage--) {
      const rows = this.#fronts[stage] as Map<number, Front>;
      const last = most[stage] as number;
      for (let from = least[stage] as number; from <= last; from++) {
        const front = this.#join(stage, from);
        if (front.extra.length > 0) rows.set(from, front);
      }
    }
  }

  /** Of all layers and hops, without recompute. */
  get totalMs(): number {
    return this.#bounds.totalMs;
  }

  /** No split within the limit is faster; infinite when there is none. */
  get leastMs(): number {
    return this.completionMs([], 0, 0);
  }

  /** Recompute that stages k.. need at least from a first layer on. */
  leastExtraMs(stage: number, from: number): number {
    return this.#fronts[stage]?.get(from)?.extra[0] ?? Number.POSITIVE_INFINITY;
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
      let bound = Math.max(
        inFront + (front.term[point] as number),
        this.#bounds.totalMs + inFront + behind,
      );
      let before = 0;
      for (const shape of begun) {
        if (bound >= least) break;
        const after = inFront - before - shape.extraMs + behind;
        bound = Math.max(bound, this.#bounds.termMs(shape, before, after));
        before += shape.extraMs;
      }
      least = Math.min(least, bound);
    }
    return least;
  }

  /** Ends that stage may have, with the recompute each needs; ascending. */
  ends(stage: number, from: number): StageShape[] {
    const { stages } = this.#costs.problem;
    const { numLayers } = this.#costs;
    const behind = stages - stage - 1;
    const last = numLayers - behind;
    const next = this.#fronts[stage + 1] as Map<number, Front>;
    const shapes: StageShape[] = [];
    for (let to = behind === 0 ? last : from + 1; to <= last; to++) {
      if (!this.#isShort(from, to, 0)) break;
      if (!next.has(to)) continue;
      const extraMs = this.#costs.leastExtraMs(stage, from, to);
      // A longer stage needs more memory and more time still.
      if (extraMs === Number.POSITIVE_INFINITY || !this.#isShort(from, to, extraMs)) break;
      shapes.push({ stage, from, to, extraMs });
    }
    return shapes;
  }

  /** Forward and backward of a stage, with recompute. */
  workMs({ from, to, extraMs }: StageShape): number {
    return this.#bounds.workMs(from, to) + extraMs;
  }

  /** Whether layers `[from, to)` alone keep a stage busy for no longer than the limit. */
  #isShort(from: number, to: number, extraMs: number): boolean {
    const ownMs = this.#bounds.workMs(from, to) + extraMs;
    return this.#costs.problem.microBatches * ownMs <= this.#limitMs;
  }

  /** The last layer that each stage may begin with, as the stages in front take time. */
  #lastStarts(): number[] {
    const { stages } = this.#costs.problem;
    const { numLayers } = this.#costs;
    const starts = [0];
    for (let stage = 1, to = 0; stage < stages; stage++) {
      const from = to;
      const last = numLayers - (stages - stage);
      while (to < last && this.#isShort(from, to + 1, 0)) to++;
      starts.push(to);
    }
    return starts;
  }

  /** The first layer that each stage may begin with, as the stages from it on take time. */
  #firstStarts(): number[] {
    const { stages } = this.#costs.problem;
    const starts: number[] = [];
    for (let stage = stages - 1, from = this.#costs.numLayers; stage > 0; stage--) {
      const to = from;
      while (from > stage && this.#isShort(from - 1, to, 0)) from--;
      starts.unshift(from);
    }
    return [0, ...starts];
  }

  #join(stage: number, from: number): Front {
    const points: [extra: number, term: number][] = [];
    const next = this.#fronts[stage + 1] as Map<number, Front>;
    for (const shape of this.ends(stage, from)) {
      const front = next.get(shape.to) as Front;
      for (let point = 0; point < front.extra.length; point++) {
        const behind = front.extra[point] as number;
        const own = this.#bounds.termMs(shape, 0, behind);
        const term = Math.max(own, (front.term[point] as number) + shape.extraMs);
        if (term <= this.#limitMs) points.push([behind + shape.extraMs, term]);
      }
    }
    return paretoFront(points);
  }
}
