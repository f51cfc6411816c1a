import type { Picked } from "./count-search.ts";
import type { Choice } from "./recompute-choices.ts";
import { type ClassItem, type HullStep, SLACK } from "./relaxed-knapsack.ts";

/** A hull step of a class, and how many of its layers have taken it. */
interface Taken extends HullStep {
  item: number;
  layers: number;
  /** The class's step before; undefined for its first. */
  before: Taken | undefined;
}

/**
 * Recompute that fits, seldom much more than the least: hull steps that save the
 * most memory a millisecond until it fits, then back by those for which there is
 * room. For intervals of so many classes that no search ends. Undefined when
 * nothing fits.
 *
 * @param room for the activations of one micro-batch
 */
export function greedyRecompute(
  items: readonly ClassItem[],
  counts: readonly number[],
  room: number,
): Picked | undefined {
  const steps: Taken[] = [];
  let over = -room - Math.abs(room) * SLACK;
  for (const [item, { choices, hull }] of items.entries()) {
    over += (counts[item] as number) * (choices[0] as Choice).activationBytes;
    let before: Taken | undefined;
    for (const step of hull) {
      before = { ...step, item, layers: 0, before };
      steps.push(before);
    }
  }
  // Stable: a class's own steps, whose price rises, keep their order.
  steps.sort((a, b) => a.msPerByte - b.msPerByte);
  for (const step of steps) {
    if (over <= 0) break;
    step.layers = Math.min(counts[step.item] as number, Math.ceil(over / step.bytes));
    over -= step.layers * step.bytes;
  }
  if (over > 0) return undefined;
  goBack(steps, -over);
  return picked(items, counts, steps);
}

/** Takes back steps, the dearest first, as far as there is room. */
function goBack(steps: readonly Taken[], room: number): void {
  const next = new Map<Taken, Taken>();
  for (const step of steps) if (step.before !== undefined) next.set(step.before, step);
  let left = room;
  for (const step of steps.toReversed()) {
    // Layers that have gone on from there stay.
    const free = step.layers - (next.get(step)?.layers ?? 0);
    const layers = Math.min(free, Math.floor(left / step.bytes));
    step.layers -= layers;
    left -= layers * step.bytes;
  }
}

function picked(
  items: readonly ClassItem[],
  counts: readonly number[],
  steps: readonly Taken[],
): Picked {
  const picks = items.map(({ choices }, item) => {
    const own = new Array<number>(choices.length).fill(0);
    own[0] = counts[item] as number;
    return own;
  });
  for (const { item, choice, layers, before } of steps) {
    const own = picks[item] as number[];
    own[choice] = (own[choice] as number) + layers;
    own[before?.choice ?? 0] = (own[before?.choice ?? 0] as number) - layers;
  }
  let extraMs = 0;
  for (const [item, own] of picks.entries()) {
    const { choices } = items[item] as ClassItem;
    for (const [choice, layers] of own.entries()) {
      extraMs += layers * (choices[choice] as Choice).extraMs;
    }
  }
  return { extraMs, isLeast: false, picks };
}
