import type { Choice } from "./recompute-choices.ts";

/** Differences below this share of the budget are rounding. */
export const SLACK = 1e-12;

/** Recompute of a class's layers from one hull point to the next. */
export interface HullStep {
  /** Choice that it leads to. */
  choice: number;
  /** Saved by one layer. */
  bytes: number;
  msPerByte: number;
}

/** Choices of a class under a workspace limit, with their lower convex hull. */
export interface ClassItem {
  /** By rising time. */
  choices: readonly Choice[];
  hull: readonly HullStep[];
}

/** Undefined when no choice is within the workspace limit. */
export function classItem(
  choices: readonly Choice[],
  mostWorkspaceBytes: number,
): ClassItem | undefined {
  const allowed = choices.filter(({ workspaceBytes }) => workspaceBytes <= mostWorkspaceBytes);
  return allowed.length === 0 ? undefined : { choices: allowed, hull: hullOf(allowed) };
}

function hullOf(choices: readonly Choice[]): HullStep[] {
  const steps: HullStep[] = [];
  for (let at = 0; ; ) {
    const here = choices[at] as Choice;
    let next = at;
    let msPerByte = Number.POSITIVE_INFINITY;
    for (let other = at + 1; other < choices.length; other++) {
      const { extraMs, activationBytes } = choices[other] as Choice;
      const saving = here.activationBytes - activationBytes;
      // Kept for its workspace alone: saves no activations.
      if (saving <= 0) continue;
      const slope = (extraMs - here.extraMs) / saving;
      if (slope <= msPerByte) {
        msPerByte = slope;
        next = other;
      }
    }
    if (next === at) return steps;
    const bytes = here.activationBytes - (choices[next] as Choice).activationBytes;
    steps.push({ choice: next, bytes, msPerByte });
    at = next;
  }
}

/**
 * Least extra time of classes of layers when layers may be mixed between
 * options: the hull steps that save the most memory a millisecond are taken until
 * the rest fits.
 */
export class RelaxedKnapsack {
  readonly #items: readonly ClassItem[];
  readonly #counts: readonly number[];
  /** Of all classes, the cheapest memory first. */
  readonly #steps: { item: number; bytes: number; msPerByte: number }[];

  constructor(items: readonly ClassItem[], counts: readonly number[]) {
    this.#items = items;
    this.#counts = counts;
    this.#steps = [];
    for (const [item, { hull }] of items.entries()) {
      const count = counts[item] as number;
      for (const { bytes, msPerByte } of hull) {
        this.#steps.push({ item, bytes: count * bytes, msPerByte });
      }
    }
    this.#steps.sort((a, b) => a.msPerByte - b.msPerByte);
  }

  /** For the classes from `first` on; infinite when even the least memory is too much. */
  leastExtraMs(first: number, room: number): number {
    let used = 0;
    let extra = 0;
    for (let index = first; index < this.#items.length; index++) {
      const { choices } = this.#items[index] as ClassItem;
      const fastest = choices[0] as Choice;
      const count = this.#counts[index] as number;
      used += count * fastest.activationBytes;
      extra += count * fastest.extraMs;
    }
    let over = used - room;
    if (over <= 0) return extra;
    for (const { item, bytes, msPerByte } of this.#steps) {
      if (item < first) continue;
      const saved = Math.min(bytes, over);
      extra += saved * msPerByte;
      over -= saved;
      if (over <= 0) return extra;
    }
    return over > Math.abs(room) * SLACK ? Number.POSITIVE_INFINITY : extra;
  }
}
