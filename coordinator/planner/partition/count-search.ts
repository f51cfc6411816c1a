import type { Choice } from "./recompute-choices.ts";
import { type ClassItem, RelaxedKnapsack, SLACK } from "./relaxed-knapsack.ts";

/** How many layers of each class take each of its choices. */
export interface Picked {
  extraMs: number;
  isLeast: boolean;
  picks: number[][];
}

/** Above this many steps the search for the exact least gives way to the relaxed one. */
const MAX_STEPS = 20_000;

/**
 * Branch and bound over how many layers of each class take each choice: depth
 * first over classes and their choices, cheapest in time first, cut by the
 * relaxation.
 */
export class CountSearch {
  readonly #items: readonly ClassItem[];
  readonly #counts: readonly number[];
  readonly #room: number;
  readonly #relaxed: RelaxedKnapsack;
  readonly #maxSteps: number;
  #upper: number;
  #best: number[][] | undefined;
  #steps = 0;

  /**
   * @param room for the activations of one micro-batch
   * @param upper extra time above which nothing is wanted
   */
  constructor(
    items: readonly ClassItem[],
    counts: readonly number[],
    room: number,
    upper = Number.POSITIVE_INFINITY,
    maxSteps = MAX_STEPS,
  ) {
    this.#items = items;
    this.#counts = counts;
    this.#room = room + Math.abs(room) * SLACK;
    this.#relaxed = new RelaxedKnapsack(items, counts);
    this.#upper = upper;
    this.#maxSteps = maxSteps;
  }

  run(): Picked | undefined {
    this.#visit(0, this.#room, 0, []);
    if (this.#best === undefined) return undefined;
    return { extraMs: this.#upper, isLeast: this.#steps <= this.#maxSteps, picks: this.#best };
  }

  #visit(depth: number, room: number, extra: number, picks: number[][]): void {
    if (depth === this.#items.length) {
      if (room >= 0 && (extra < this.#upper || this.#best === undefined) && extra <= this.#upper) {
        this.#upper = extra;
        this.#best = picks.map((counts) => [...counts]);
      }
      return;
    }
    if (this.#steps++ > this.#maxSteps && this.#best !== undefined) return;
    const bound = extra + this.#relaxed.leastExtraMs(depth, room);
    if (bound > this.#upper || (bound === this.#upper && this.#best !== undefined)) return;
    if (bound === Number.POSITIVE_INFINITY) return;
    const { choices } = this.#items[depth] as ClassItem;
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
    const { choices } = this.#items[depth] as ClassItem;
    const { extraMs, activationBytes } = choices[choice] as Choice;
    if (choice === 0) {
      picks.push([count, ...taken]);
      this.#visit(depth + 1, room - count * activationBytes, extra + count * extraMs, picks);
      picks.pop();
      return;
    }
    // Between the last two choices of the last class only the least that fits counts.
    const isLast = choice === 1 && depth === this.#items.length - 1;
    const quicker = choices[0] as Choice;
    const saving = quicker.activationBytes - activationBytes;
    const over = count * quicker.activationBytes - room;
    const first = isLast && saving > 0 ? Math.max(0, Math.ceil(over / saving - 1e-9)) : 0;
    for (let take = first; take <= count; take++) {
      const time = extra + take * extraMs;
      if (time > this.#upper) break;
      if (this.#steps++ > this.#maxSteps && this.#best !== undefined) return;
      const rest = room - take * activationBytes;
      this.#split(depth, choice - 1, count - take, rest, time, picks, [take, ...taken]);
      if (isLast && this.#best !== undefined && time >= this.#upper) break;
    }
  }
}
