import { prefixSums } from "./activation-sums.ts";
import type { LayerClasses } from "./recompute-choices.ts";
import { type ClassItem, classItem } from "./relaxed-knapsack.ts";
import { workspaceRanges } from "./workspace-ranges.ts";

/** Ranges of the workspace, and prices of memory, that are tried at most. */
const MAX_RANGES = 8;
const MAX_PRICES = 48;

/** Choices whose workspace is no larger than a limit, where the largest is at least `leastBytes`. */
interface PricedRange {
  leastBytes: number;
  /** Layers that have no such choice. */
  impossible: Float64Array;
  /** Σ of a layer's least time with memory at a price, for each price. */
  pricedMs: Float64Array[];
}

/**
 * A lower bound on the recompute of any interval in time that does not depend on
 * its length, for models whose layers all differ. With memory at a price of μ
 * milliseconds a byte, Σ min over options (extra + μ·activation) − μ·room is no
 * more than the least extra time that fits (Lagrangian duality); the largest over
 * some prices is near the relaxation's.
 */
export class LagrangeSums {
  readonly #prices: readonly number[];
  readonly #ranges: readonly PricedRange[];

  constructor({ choices, classOf }: LayerClasses) {
    const ranges = workspaceRanges(choices.flat(), MAX_RANGES);
    const items = ranges.map(({ mostBytes }) => choices.map((each) => classItem(each, mostBytes)));
    this.#prices = pricesOf(items.flat());
    this.#ranges = ranges.map(({ leastBytes }, range) => {
      const own = items[range] as (ClassItem | undefined)[];
      const overLayers = (value: (item: ClassItem | undefined) => number) => {
        const each = own.map(value);
        return prefixSums(Array.from(classOf, (index) => each[index] as number));
      };
      return {
        leastBytes,
        impossible: overLayers((item) => (item === undefined ? 1 : 0)),
        pricedMs: this.#prices.map((price) => overLayers((item) => pricedMs(item, price))),
      };
    });
  }

  /** At least this much extra time do layers `[from, to)` need that fit the budget. */
  leastExtraMs(from: number, to: number, budget: number, inFlight: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { leastBytes, impossible, pricedMs } of this.#ranges) {
      if ((impossible[to] as number) > (impossible[from] as number)) continue;
      const room = (budget - leastBytes) / inFlight;
      let most = 0;
      for (const [index, price] of this.#prices.entries()) {
        const sums = pricedMs[index] as Float64Array;
        most = Math.max(most, (sums[to] as number) - (sums[from] as number) - price * room);
      }
      least = Math.min(least, most);
    }
    return least;
  }
}

/** None, and the slopes of the classes' hulls or as many of them as are allowed. */
function pricesOf(items: readonly (ClassItem | undefined)[]): number[] {
  const slopes = new Set<number>([0]);
  for (const item of items) {
    for (const { msPerByte } of item?.hull ?? []) slopes.add(msPerByte);
  }
  const all = [...slopes].sort((a, b) => a - b);
  if (all.length <= MAX_PRICES) return all;
  return Array.from(
    { length: MAX_PRICES },
    (_, index) => all[Math.floor((index * (all.length - 1)) / (MAX_PRICES - 1))] as number,
  );
}

function pricedMs(item: ClassItem | undefined, price: number): number {
  if (item === undefined) return 0;
  let least = Number.POSITIVE_INFINITY;
  for (const { extraMs, activationBytes } of item.choices) {
    least = Math.min(least, extraMs + price * activationBytes);
  }
  return least;
}
