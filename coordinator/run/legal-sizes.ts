import { setImmediate } from "node:timers/promises";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { limitsOf } from "../planner/layout/check-layout.ts";
import { enumerateLayouts } from "../planner/layout/enumerate-layouts.ts";
import { fixedSizesOf } from "../planner/layout/fixed-sizes.ts";
import { runnableArrangements } from "../planner/layout/runnable.ts";
import { isSlowToPlan, planOrNone } from "../planner/plan-run.ts";
import type { Job } from "../spec/schema.ts";
import type { Placed } from "../store/store.ts";

/** Makes a plan elsewhere, such as in a thread; undefined if there is none. */
export type PlanApart = (job: Job, ranks: number) => Promise<Plan | undefined>;

/** A number of ranks that a run can be carried out on. */
export type LegalSize = {
  numRanks: number;
  /** Ranks that had better share a node. */
  tensorParallel: number;
};

/**
 * The plans of a job by its number of ranks. Each is made when it is first asked for
 * and kept. All have the job's global batch: with fewer data-parallel ranks each takes
 * more micro-batches. What a job fixes of its layout is obeyed at every size, so
 * sizes that cannot are not legal: a job that fixes `dataParallel` beside `tensorParallel`
 * and `pipelineParallel` has one legal size. Runs whose jobs are equal may share one.
 */
export class LegalSizes {
  readonly #job: Job;
  readonly #planApart: PlanApart | undefined;
  /** Plans that are being made. */
  readonly #pending = new Map<number, Promise<Plan | undefined>>();
  readonly #plans = new Map<number, Plan | undefined>();
  readonly #layouts = new Map<number, boolean>();
  /** Answers of `between`, until another plan is known. */
  readonly #ranked = new Map<string, readonly LegalSize[]>();

  /** @param planApart how plans that take long are made; here, without it */
  constructor(job: Job, planApart?: PlanApart) {
    this.#job = job;
    this.#planApart = planApart && isSlowToPlan(job) ? planApart : undefined;
  }

  /** Whether plans had better be waited for. */
  get isSlow(): boolean {
    return this.#planApart !== undefined;
  }

  /** Whether it is known if there is a plan for that many ranks, and which. */
  isPlanned(numRanks: number): boolean {
    return this.#plans.has(numRanks);
  }

  /**
   * The plan for that many ranks, or none. Takes milliseconds, or some 100 for a huge model; for
   * GPUs seconds, unless it is known.
   */
  plan(numRanks: number): Plan | undefined {
    const known = this.#plans.get(numRanks);
    if (known || !this.#mayBeLegal(numRanks)) return known;
    return this.#keep(numRanks, planOrNone(this.#job, numRanks));
  }

  /** The same, without holding up others. */
  async planned(numRanks: number): Promise<Plan | undefined> {
    const planApart = this.#planApart;
    if (!planApart || this.isPlanned(numRanks) || !this.#mayBeLegal(numRanks)) {
      return this.plan(numRanks);
    }
    const pending =
      this.#pending.get(numRanks) ??
      planApart(this.#job, numRanks)
        .then((plan) => this.#keep(numRanks, plan))
        .finally(() => this.#pending.delete(numRanks));
    this.#pending.set(numRanks, pending);
    return pending;
  }

  /**
   * The legal sizes from `minRanks` to `maxRanks`, those of the shortest predicted step
   * first. Sizes that are no faster than a smaller one are left out. Plans nothing, and
   * costs little when asked again: a size without a plan yet counts as one that shares the
   * work evenly, and may turn out to be no better than others, or to have no plan.
   */
  between(minRanks: number, maxRanks: number): readonly LegalSize[] {
    const key = `${minRanks} ${maxRanks}`;
    const ranked = this.#ranked.get(key) ?? this.#rank(minRanks, maxRanks);
    this.#ranked.set(key, ranked);
    return ranked;
  }

  /** The best size from `minRanks` to `maxRanks`; plans until it is known. */
  async best(minRanks: number, maxRanks: number): Promise<LegalSize | undefined> {
    for (;;) {
      const [first] = this.between(minRanks, maxRanks);
      if (!first || this.isPlanned(first.numRanks)) return first;
      await this.planned(first.numRanks);
    }
  }

  /**
   * Makes the plans ahead that `best(minRanks, n)` would make for each of `counts`. Waits
   * for `idle` before each plan, so that nothing else waits for more than one.
   */
  async prepare(
    minRanks: number,
    counts: Iterable<number>,
    idle: () => Promise<unknown> = setImmediate,
    signal?: AbortSignal,
  ): Promise<void> {
    for (const count of counts) {
      for (;;) {
        const [first] = this.between(minRanks, count);
        if (!first || this.isPlanned(first.numRanks)) break;
        await idle();
        if (signal?.aborted) return;
        await this.planned(first.numRanks);
      }
    }
  }

  #keep(numRanks: number, plan: Plan | undefined): Plan | undefined {
    this.#plans.set(numRanks, plan);
    this.#ranked.clear();
    return plan;
  }

  #rank(minRanks: number, maxRanks: number): LegalSize[] {
    const work = this.#leastWork();
    let shortest = Number.POSITIVE_INFINITY;
    const sizes: { numRanks: number; step: number }[] = [];
    for (let numRanks = Math.max(1, minRanks); numRanks <= maxRanks; numRanks++) {
      if (!this.#mayBeLegal(numRanks)) continue;
      const known = this.#plans.get(numRanks)?.prediction?.makespanFlops;
      if (known !== undefined && known >= shortest) continue;
      shortest = known ?? shortest;
      sizes.push({ numRanks, step: known ?? work / numRanks });
    }
    return sizes
      .sort((a, b) => a.step - b.step || a.numRanks - b.numRanks)
      .map(({ numRanks }) => this.#size(numRanks));
  }

  #size(numRanks: number): LegalSize {
    const planned = this.#plans.get(numRanks)?.layout?.tensorParallel;
    const tensorParallel = planned ?? fixedSizesOf(this.#job).tensorParallel ?? 1;
    return { numRanks, tensorParallel };
  }

  /** Whether the engine runs some layout on so many ranks; its memory may still be too much. */
  #mayBeLegal(numRanks: number): boolean {
    if (this.isPlanned(numRanks)) return this.#plans.get(numRanks) !== undefined;
    const known = this.#layouts.get(numRanks);
    if (known !== undefined) return known;
    const layouts = enumerateLayouts(limitsOf(this.#job, numRanks), fixedSizesOf(this.#job));
    const runs = layouts.some(
      (layout) => runnableArrangements(this.#job, layout).arrangements.length > 0,
    );
    this.#layouts.set(numRanks, runs);
    return runs;
  }

  /** FLOPs of a step on all ranks together, of the plan that has the fewest. */
  #leastWork(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const plan of this.#plans.values()) {
      if (plan) least = Math.min(least, workOf(plan));
    }
    return Number.isFinite(least) ? least : 1;
  }
}

/** The slots that are left of a generation's after the loss of each one of its agents. */
export function countsAfterLoss(placed: readonly Placed[]): number[] {
  const total = placed.reduce((sum, { slots }) => sum + slots.length, 0);
  return [...new Set(placed.map(({ slots }) => total - slots.length))];
}

function workOf({ stages, numMicroBatches, worldSize, layout }: Plan): number {
  const column = stages.reduce((sum, one) => sum + one.forwardFlops + one.backwardFlops, 0);
  return (column * numMicroBatches * worldSize) / (layout?.pipelineParallel ?? 1);
}
