import type { PartitionLayer } from "./problem.ts";

/** An option that no other beats in both time and memory. */
interface Choice {
  option: number;
  extraMs: number;
  activationBytes: number;
  workspaceBytes: number;
}

/** How many layers of each class take each of its choices. */
interface Picked {
  extraMs: number;
  isLeast: boolean;
  picks: number[][];
}

/** Layers with the same options; they are interchangeable in the knapsack. */
interface LayerClass {
  choices: readonly Choice[];
}

export interface KnapsackResult {
  extraMs: number;
  /** Whether nothing less fits; the search gives up after many steps. */
  isLeast: boolean;
  /** Of the interval's layers, first to last. */
  options: number[];
}

/** Above this many steps the search for the exact least gives way to the relaxed one. */
const MAX_STEPS = 20_000;

/** Intervals of up to this many layers are solved exactly whatever their classes. */
const SMALL = 8;

/** Differences below this share of the budget are rounding. */
const SLACK = 1e-12;

/**
 * The least extra backward time with which an interval of layers fits a memory
 * budget: a multiple-choice knapsack. Real models have few classes of layers, so
 * the exact answer comes from counting how many of each class take each option;
 * branch and bound with the relaxation over the lower convex hull cuts the rest.
 */
export class RecomputeKnapsack {
  readonly #classes: LayerClass[] = [];
  readonly #classOf: Int32Array;
  readonly #levels: number[];
  readonly #sums: Sums;

  constructor(layers: readonly PartitionLayer[]) {
    const indices = new Map<string, number>();
    const levels = new Set<number>();
    this.#classOf = Int32Array.from(layers, ({ options }) => {
      const choices = undominated(options);
      for (const { workspaceBytes } of choices) levels.add(workspaceBytes);
      const key = JSON.stringify(choices);
      const known = indices.get(key) ?? this.#classes.push({ choices }) - 1;
      indices.set(key, known);
      return known;
    });
    this.#levels = [...levels].sort((a, b) => b - a);
    this.#sums = sumsOf(
      Array.from(this.#classOf, (index) => (this.#classes[index] as LayerClass).choices),
    );
  }

  /**
   * @param budget memory of the stage less its static bytes
   * @param inFlight micro-batches alive at once
   * @returns the least extra time, or undefined when nothing fits
   */
  solve(from: number, to: number, budget: number, inFlight: number): KnapsackResult | undefined {
    const { counts, order } = this.#count(from, to);
    let best: Picked | undefined;
    let isLeast = true;
    // Options of a large workspace may pay only without it: try each as the limit.
    for (const level of this.#levelsOf(order)) {
      const room = (budget - level) / inFlight;
      const found = this.#solveLevel(order, counts, level, room, best?.extraMs);
      if (found === undefined) continue;
      if (!found.isLeast) isLeast = false;
      if (best === undefined || found.extraMs < best.extraMs) best = found;
      if (best !== undefined && best.extraMs === 0) break;
    }
    if (best === undefined) return undefined;
    return { extraMs: best.extraMs, isLeast, options: this.#spread(from, to, order, best.picks) };
  }

  /** A lower bound on `solve`'s extra time from the relaxation; infinite when nothing fits. */
  leastExtraMs(from: number, to: number, budget: number, inFlight: number): number {
    const { extraMs, activationBytes, fewestBytes, workspaceBytes } = this.#sums;
    const over = (sums: Float64Array) => (sums[to] as number) - (sums[from] as number);
    if (inFlight * over(activationBytes) + workspaceBytes <= budget) return over(extraMs);
    if (inFlight * over(fewestBytes) > budget + Math.abs(budget) * 1e-9) {
      return Number.POSITIVE_INFINITY;
    }
    const { counts, order } = this.#count(from, to);
    let least = Number.POSITIVE_INFINITY;
    for (const level of this.#levelsOf(order)) {
      const room = (budget - level) / inFlight;
      const items = this.#hulls(order, level);
      if (items === undefined) continue;
      least = Math.min(least, relax(items, counts, 0, room));
      if (least === 0) break;
    }
    return least;
  }

  /** Layers of equal number have the same options. */
  classOf(layer: number): number {
    return this.#classOf[layer] as number;
  }

  /** Whether the exact answer is cheap: the interval has few layers or few classes of them. */
  isSmall(from: number, to: number): boolean {
    return to - from <= SMALL || this.#count(from, to).order.length <= 4;
  }

  /** Bytes by which the interval misses the budget when as little as possible is kept. */
  missing(from: number, to: number, budget: number, inFlight: number): number {
    const { counts, order } = this.#count(from, to);
    let least = Number.POSITIVE_INFINITY;
    for (const level of this.#levelsOf(order)) {
      const items = this.#hulls(order, level);
      if (items === undefined) break;
      const kept = items.map((choices) =>
        Math.min(...choices.map(({ activationBytes }) => activationBytes)),
      );
      const activation = kept.reduce((sum, bytes, index) => sum + bytes * (counts[index] ?? 0), 0);
      least = Math.min(least, inFlight * activation + level - budget);
    }
    return least;
  }

  /** Workspaces that the classes' choices ask for, falling. */
  #levelsOf(order: readonly number[]): readonly number[] {
    if (this.#levels.length <= 1) return this.#levels;
    const own = new Set<number>();
    for (const index of order) {
      const { choices } = this.#classes[index] as LayerClass;
      for (const { workspaceBytes } of choices) own.add(workspaceBytes);
    }
    return [...own].sort((a, b) => b - a);
  }

  #count(from: number, to: number): { counts: number[]; order: number[] } {
    const order: number[] = [];
    const counts: number[] = [];
    for (let layer = from; layer < to; layer++) {
      const index = this.#classOf[layer] as number;
      const at = order.indexOf(index);
      if (at >= 0) counts[at] = (counts[at] as number) + 1;
      else {
        order.push(index);
        counts.push(1);
      }
    }
    return { counts, order };
  }

  /** Choices of each class under a workspace limit, by falling memory; undefined if one has none. */
  #hulls(order: readonly number[], level: number): Choice[][] | undefined {
    const items: Choice[][] = [];
    for (const index of order) {
      const { choices } = this.#classes[index] as LayerClass;
      const allowed = choices.filter(({ workspaceBytes }) => workspaceBytes <= level);
      if (allowed.length === 0) return undefined;
      items.push(allowed);
    }
    return items;
  }

  #solveLevel(
    order: readonly number[],
    counts: readonly number[],
    level: number,
    room: number,
    upper = Number.POSITIVE_INFINITY,
  ): Picked | undefined {
    const items = this.#hulls(order, level);
    if (items === undefined) return undefined;
    const search = new CountSearch(items, counts, room, upper);
    return search.run();
  }

  /** Turns counts per class into an option per layer; layers at the end recompute first. */
  #spread(from: number, to: number, order: readonly number[], picks: number[][]): number[] {
    const left = picks.map((counts) => [...counts]);
    const options: number[] = [];
    for (let layer = from; layer < to; layer++) {
      const index = this.#classOf[layer] as number;
      const counts = left[order.indexOf(index)] as number[];
      const { choices } = this.#classes[index] as LayerClass;
      const pick = counts.findIndex((count) => count > 0);
      counts[pick] = (counts[pick] as number) - 1;
      options.push((choices[pick] as Choice).option);
    }
    return options;
  }
}

/** Over the layers in front of each: to tell at once that all or nothing fits. */
interface Sums {
  /** Of each layer's fastest choice, as is activationBytes. */
  extraMs: Float64Array;
  activationBytes: Float64Array;
  fewestBytes: Float64Array;
  /** Largest of the fastest choices' workspaces. */
  workspaceBytes: number;
}

function sumsOf(layers: readonly (readonly Choice[])[]): Sums {
  const row = () => new Float64Array(layers.length + 1);
  const sums = { extraMs: row(), activationBytes: row(), fewestBytes: row(), workspaceBytes: 0 };
  const add = (sum: Float64Array, index: number, value: number) => {
    sum[index + 1] = (sum[index] as number) + value;
  };
  for (const [index, choices] of layers.entries()) {
    const fastest = choices[0] as Choice;
    add(sums.extraMs, index, fastest.extraMs);
    add(sums.activationBytes, index, fastest.activationBytes);
    const bytes = choices.map(({ activationBytes }) => activationBytes);
    add(sums.fewestBytes, index, Math.min(...bytes));
    sums.workspaceBytes = Math.max(sums.workspaceBytes, fastest.workspaceBytes);
  }
  return sums;
}

/** Depth first over classes and their choices, cheapest in time first. */
class CountSearch {
  readonly #items: readonly Choice[][];
  readonly #counts: readonly number[];
  readonly #room: number;
  #upper: number;
  #best: number[][] | undefined;
  #steps = 0;

  constructor(items: readonly Choice[][], counts: readonly number[], room: number, upper: number) {
    this.#items = items;
    this.#counts = counts;
    this.#room = room + Math.abs(room) * SLACK;
    this.#upper = upper;
  }

  run(): Picked | undefined {
    this.#visit(0, this.#room, 0, []);
    if (this.#best === undefined) return undefined;
    return { extraMs: this.#upper, isLeast: this.#steps <= MAX_STEPS, picks: this.#best };
  }

  #visit(depth: number, room: number, extra: number, picks: number[][]): void {
    if (depth === this.#items.length) {
      if (room >= 0 && (extra < this.#upper || this.#best === undefined) && extra <= this.#upper) {
        this.#upper = extra;
        this.#best = picks.map((counts) => [...counts]);
      }
      return;
    }
    if (this.#steps++ > MAX_STEPS && this.#best !== undefined) return;
    const bound = extra + relax(this.#items, this.#counts, depth, room);
    if (bound > this.#upper || (bound === this.#upper && this.#best !== undefined)) return;
    if (bound === Number.POSITIVE_INFINITY) return;
    const choices = this.#items[depth] as Choice[];
    const count = this.#counts[depth] as number;
    this.#split(depth, choices.length - 1, count, room, extra, picks, []);
  }

  /** Gives `count` layers of a class to its choices, from the one of least memory on. */
  #split(
    depth: number,
    choice: number,
    count: number,
    room: number,
    extra: number,
    picks: number[][],
    taken: number[],
  ): void {
    const { extraMs, activationBytes } = (this.#items[depth] as Choice[])[choice] as Choice;
    if (choice === 0) {
      const counts = [count, ...taken];
      picks.push(counts);
      this.#visit(depth + 1, room - count * activationBytes, extra + count * extraMs, picks);
      picks.pop();
      return;
    }
    // Between the last two choices of the last class only the least that fits counts.
    const isLast = choice === 1 && depth === this.#items.length - 1;
    const quicker = (this.#items[depth] as Choice[])[0] as Choice;
    const saving = quicker.activationBytes - activationBytes;
    const over = count * quicker.activationBytes - room;
    const first = isLast && saving > 0 ? Math.max(0, Math.ceil(over / saving - 1e-9)) : 0;
    for (let take = first; take <= count; take++) {
      const time = extra + take * extraMs;
      if (time > this.#upper) break;
      if (this.#steps++ > MAX_STEPS && this.#best !== undefined) return;
      const rest = room - take * activationBytes;
      this.#split(depth, choice - 1, count - take, rest, time, picks, [take, ...taken]);
      if (isLast && this.#best !== undefined && time >= this.#upper) break;
    }
  }
}

/**
 * Least extra time of the classes from `depth` on when layers may be mixed
 * between options: take the steps along each class's lower convex hull that save
 * the most memory a millisecond until the rest fits.
 */
function relax(
  items: readonly Choice[][],
  counts: readonly number[],
  depth: number,
  room: number,
): number {
  let used = 0;
  let extra = 0;
  const steps: { bytes: number; perByte: number }[] = [];
  for (let index = depth; index < items.length; index++) {
    const choices = items[index] as Choice[];
    const count = counts[index] as number;
    const first = choices[0] as Choice;
    used += count * first.activationBytes;
    extra += count * first.extraMs;
    for (let at = 0; at < choices.length - 1; ) {
      const here = choices[at] as Choice;
      let next = at + 1;
      let perByte = Number.POSITIVE_INFINITY;
      for (let other = at + 1; other < choices.length; other++) {
        const { extraMs, activationBytes } = choices[other] as Choice;
        const saving = here.activationBytes - activationBytes;
        // Kept for its workspace alone: saves no activations.
        if (saving <= 0) continue;
        const slope = (extraMs - here.extraMs) / saving;
        if (slope <= perByte) {
          perByte = slope;
          next = other;
        }
      }
      if (perByte === Number.POSITIVE_INFINITY) break;
      const bytes = count * (here.activationBytes - (choices[next] as Choice).activationBytes);
      steps.push({ bytes, perByte });
      at = next;
    }
  }
  let over = used - room;
  if (over <= 0) return extra;
  steps.sort((a, b) => a.perByte - b.perByte);
  for (const { bytes, perByte } of steps) {
    const saved = Math.min(bytes, over);
    extra += saved * perByte;
    over -= saved;
    if (over <= 0) return extra;
  }
  return over > Math.abs(room) * SLACK ? Number.POSITIVE_INFINITY : extra;
}

/** Options by rising time; without those that another beats in time, memory and workspace. */
function undominated(options: PartitionLayer["options"]): Choice[] {
  const all = options.map(({ extraBackwardMs, activationBytes, workspaceBytes }, option) => ({
    option,
    extraMs: extraBackwardMs,
    activationBytes,
    workspaceBytes: workspaceBytes ?? 0,
  }));
  const beats = (a: Choice, b: Choice) =>
    a.extraMs <= b.extraMs &&
    a.activationBytes <= b.activationBytes &&
    a.workspaceBytes <= b.workspaceBytes &&
    (a.extraMs < b.extraMs ||
      a.activationBytes < b.activationBytes ||
      a.workspaceBytes < b.workspaceBytes ||
      a.option < b.option);
  return all
    .filter((choice) => !all.some((other) => other !== choice && beats(other, choice)))
    .sort((a, b) => a.extraMs - b.extraMs || b.activationBytes - a.activationBytes);
}
