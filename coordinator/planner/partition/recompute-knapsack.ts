import { ActivationSums } from "./activation-sums.ts";
import { CountSearch, type Picked } from "./count-search.ts";
import { greedyRecompute } from "./greedy-recompute.ts";
import { LagrangeSums } from "./lagrange-sums.ts";
import type { PartitionLayer } from "./problem.ts";
import { type Choice, type LayerClasses, layerClasses } from "./recompute-choices.ts";
import { type ClassItem, classItem } from "./relaxed-knapsack.ts";
import { workspaceRanges } from "./workspace-ranges.ts";

export interface KnapsackResult {
  extraMs: number;
  /** Whether nothing less fits; the search gives up after many steps. */
  isLeast: boolean;
  /** Of the interval's layers, first to last. */
  options: number[];
}

/** Classes in an interval of layers, and how many layers are of each. */
interface Counted {
  order: number[];
  counts: number[];
}

/** What an interval's layers take under a workspace limit. */
interface Fitting extends Picked {
  items: readonly ClassItem[];
  room: number;
}

/** Steps to improve on what is found for larger intervals. */
const IMPROVING_STEPS = 500;

/** Intervals of no more are solved exactly. */
const SMALL = { layers: 8, choicesOfLayers: 24, classes: 4, choicesOfClasses: 12 };

/** Workspace limits that are tried for larger intervals. */
const MAX_LEVELS = 16;

/**
 * The least extra backward time with which an interval of layers fits a memory
 * budget: a multiple-choice knapsack. Real models have few classes of layers, so
 * the exact answer comes from counting how many of each class take each option.
 */
export class RecomputeKnapsack {
  readonly #classes: LayerClasses;
  readonly #sums: ActivationSums;
  #lagrange: LagrangeSums | undefined;
  /** Of each class by workspace limit. */
  readonly #items: Map<number, ClassItem | undefined>[];

  constructor(layers: readonly PartitionLayer[]) {
    this.#classes = layerClasses(layers);
    const { choices, classOf } = this.#classes;
    this.#sums = new ActivationSums(Array.from(classOf, (index) => choices[index] as Choice[]));
    this.#items = choices.map(() => new Map());
  }

  /**
   * @param budget memory of the stage less its static bytes
   * @param inFlight micro-batches alive at once
   * @returns the least extra time, or undefined when nothing fits
   */
  solve(from: number, to: number, budget: number, inFlight: number): KnapsackResult | undefined {
    const counted = this.#count(from, to);
    const isSmall = this.isSmall(from, to);
    const fit = (mostLevels: number) => this.#fit(counted, budget, inFlight, isSmall, mostLevels);
    let best = fit(isSmall ? Number.POSITIVE_INFINITY : MAX_LEVELS);
    // Some need one of the limits that were left out.
    if (!isSmall) best ??= fit(Number.POSITIVE_INFINITY);
    if (best === undefined) return undefined;
    if (!isSmall) best = improved(best, counted.counts);
    const options = this.#spread(from, to, counted, best);
    return { extraMs: best.extraMs, isLeast: best.isLeast, options };
  }

  #fit(
    counted: Counted,
    budget: number,
    inFlight: number,
    isSmall: boolean,
    mostLevels: number,
  ): Fitting | undefined {
    let best: Fitting | undefined;
    let isLeast = true;
    // Options of a large workspace may pay only without it: try each as the limit.
    for (const level of this.#levelsOf(counted, mostLevels)) {
      const items = this.#itemsUnder(counted, level);
      if (items === undefined) break;
      const room = (budget - level) / inFlight;
      const found = isSmall
        ? new CountSearch(items, counted.counts, room, best?.extraMs).run()
        : greedyRecompute(items, counted.counts, room);
      if (found === undefined) continue;
      if (!found.isLeast) isLeast = false;
      if (best === undefined || found.extraMs < best.extraMs) best = { ...found, items, room };
      if (best.extraMs === 0) break;
    }
    return best === undefined ? undefined : { ...best, isLeast };
  }

  /** A lower bound on `solve`'s extra time; exact where it is plain; infinite when nothing fits. */
  leastExtraMs(from: number, to: number, budget: number, inFlight: number): number {
    const plain = this.#sums.plainExtraMs(from, to, budget, inFlight);
    if (plain !== undefined) return plain;
    this.#lagrange ??= new LagrangeSums(this.#classes);
    return this.#lagrange.leastExtraMs(from, to, budget, inFlight);
  }

  /** The exact least extra time if it is cheap to tell: all or nothing fits. */
  plainExtraMs(from: number, to: number, budget: number, inFlight: number): number | undefined {
    return this.#sums.plainExtraMs(from, to, budget, inFlight);
  }

  /** Layers of equal number have the same options. */
  classOf(layer: number): number {
    return this.#classes.classOf[layer] as number;
  }

  /** Whether the exact answer is cheap: the interval has few layers or few classes, of few choices. */
  isSmall(from: number, to: number): boolean {
    const { order } = this.#count(from, to);
    const numChoices = order.reduce((sum, index) => sum + this.#choicesOf(index).length, 0);
    if (to - from <= SMALL.layers) return numChoices <= SMALL.choicesOfLayers;
    return order.length <= SMALL.classes && numChoices <= SMALL.choicesOfClasses;
  }

  /** Bytes by which the interval misses the budget when as little as possible is kept. */
  missing(from: number, to: number, budget: number, inFlight: number): number {
    return this.#sums.missing(from, to, budget, inFlight);
  }

  /** A lower bound on `missing` in little time. */
  leastMissing(from: number, to: number, budget: number, inFlight: number): number {
    return this.#sums.leastMissing(from, to, budget, inFlight);
  }

  /** Workspaces that the classes' choices ask for, falling, or some of them. */
  #levelsOf({ order }: Counted, most: number): number[] {
    const choices = order.flatMap((index) => this.#choicesOf(index));
    return workspaceRanges(choices, most)
      .map(({ mostBytes }) => mostBytes)
      .reverse();
  }

  #count(from: number, to: number): Counted {
    const order: number[] = [];
    const counts: number[] = [];
    for (let layer = from; layer < to; layer++) {
      const index = this.classOf(layer);
      const at = order.indexOf(index);
      if (at >= 0) counts[at] = (counts[at] as number) + 1;
      else {
        order.push(index);
        counts.push(1);
      }
    }
    return { counts, order };
  }

  /** Of each class under a workspace limit; undefined if one has no choice there. */
  #itemsUnder({ order }: Counted, level: number): ClassItem[] | undefined {
    const items: ClassItem[] = [];
    for (const index of order) {
      const known = this.#items[index] as Map<number, ClassItem | undefined>;
      let item = known.get(level);
      if (item === undefined) {
        item = classItem(this.#choicesOf(index), level);
        if (item === undefined) return undefined;
        known.set(level, item);
      }
      items.push(item);
    }
    return items;
  }

  #choicesOf(index: number): readonly Choice[] {
    return this.#classes.choices[index] as readonly Choice[];
  }

  /** Turns counts per class into an option per layer; layers at the end recompute first. */
  #spread(from: number, to: number, { order }: Counted, { items, picks }: Fitting): number[] {
    const left = picks.map((counts) => [...counts]);
    const options: number[] = [];
    for (let layer = from; layer < to; layer++) {
      const at = order.indexOf(this.classOf(layer));
      const counts = left[at] as number[];
      const pick = counts.findIndex((count) => count > 0);
      counts[pick] = (counts[pick] as number) - 1;
      options.push(((items[at] as ClassItem).choices[pick] as Choice).option);
    }
    return options;
  }
}

function improved(best: Fitting, counts: readonly number[]): Fitting {
  const { items, room, extraMs } = best;
  const found = new CountSearch(items, counts, room, extraMs, IMPROVING_STEPS).run();
  return found === undefined ? best : { ...best, ...found, isLeast: false };
}
