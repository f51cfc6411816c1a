import type { Choice } from "./recompute-choices.ts";
import { workspaceRanges } from "./workspace-ranges.ts";

/** Sizes of the workspace that are told apart. */
const MAX_RANGES = 48;

/** Over the layers in front of each, to tell at once that all or nothing fits. */
export class ActivationSums {
  readonly #fastestMs: Float64Array;
  readonly #fastestBytes: Float64Array;
  readonly #fewestBytes: Float64Array;
  /** Largest of the fastest choices' workspaces. */
  readonly #workspaceBytes: number;
  readonly #layers: readonly (readonly Choice[])[];
  #ranges: KeptRange[] | undefined;

  /** @param layers choices of each, the fastest first */
  constructor(layers: readonly (readonly Choice[])[]) {
    const fastest = layers.map((choices) => choices[0] as Choice);
    this.#layers = layers;
    this.#fastestMs = prefixSums(fastest.map(({ extraMs }) => extraMs));
    this.#fastestBytes = prefixSums(fastest.map(({ activationBytes }) => activationBytes));
    this.#fewestBytes = prefixSums(
      layers.map((choices) => fewest(choices, Number.POSITIVE_INFINITY)),
    );
    this.#workspaceBytes = fastest.reduce((most, each) => Math.max(most, each.workspaceBytes), 0);
  }

  /**
   * Extra time of layers `[from, to)` if that is plain: every layer's fastest
   * choice fits, or the memory is too little for any; undefined otherwise.
   */
  plainExtraMs(from: number, to: number, budget: number, inFlight: number): number | undefined {
    if (inFlight * over(this.#fastestBytes, from, to) + this.#workspaceBytes <= budget) {
      return over(this.#fastestMs, from, to);
    }
    const least = inFlight * over(this.#fewestBytes, from, to);
    return least > budget + Math.abs(budget) * 1e-9 ? Number.POSITIVE_INFINITY : undefined;
  }

  /** Bytes by which the layers miss the budget when as little as possible is kept; negative when they fit. */
  missing(from: number, to: number, budget: number, inFlight: number): number {
    const layers = this.#layers.slice(from, to);
    let least = Number.POSITIVE_INFINITY;
    for (const limit of new Set(layers.flat().map(({ workspaceBytes }) => workspaceBytes))) {
      const kept = layers.reduce((sum, choices) => sum + fewest(choices, limit), 0);
      least = Math.min(least, inFlight * kept + limit - budget);
    }
    return least;
  }

  /** No more than `missing`, and equal unless workspaces are of many sizes. */
  leastMissing(from: number, to: number, budget: number, inFlight: number): number {
    this.#ranges ??= rangesOf(this.#layers);
    let least = Number.POSITIVE_INFINITY;
    for (const { leastBytes, fewestBytes, impossible } of this.#ranges) {
      if (leastBytes - budget >= least) break;
      if (over(impossible, from, to) > 0) continue;
      least = Math.min(least, inFlight * over(fewestBytes, from, to) + leastBytes - budget);
    }
    return least;
  }
}

/** What layers keep at least while the largest workspace is in a range. */
interface KeptRange {
  leastBytes: number;
  fewestBytes: Float64Array;
  /** Layers without such a choice. */
  impossible: Float64Array;
}

/** By rising workspace. */
function rangesOf(layers: readonly (readonly Choice[])[]): KeptRange[] {
  return workspaceRanges(layers.flat(), MAX_RANGES).map(({ leastBytes, mostBytes }) => {
    const least = layers.map((choices) => fewest(choices, mostBytes));
    return {
      leastBytes,
      fewestBytes: prefixSums(least.map((bytes) => (Number.isFinite(bytes) ? bytes : 0))),
      impossible: prefixSums(least.map((bytes) => (Number.isFinite(bytes) ? 0 : 1))),
    };
  });
}

/** Fewest bytes kept by a choice whose workspace is within the limit; infinite when none is. */
function fewest(choices: readonly Choice[], mostWorkspaceBytes: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { activationBytes, workspaceBytes } of choices) {
    if (workspaceBytes <= mostWorkspaceBytes) least = Math.min(least, activationBytes);
  }
  return least;
}

/** Sums of the values in front of each; one entry more than there are values. */
export function prefixSums(values: readonly number[]): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (const [index, value] of values.entries()) {
    sums[index + 1] = (sums[index] as number) + value;
  }
  return sums;
}

function over(sums: Float64Array, from: number, to: number): number {
  return (sums[to] as number) - (sums[from] as number);
}
