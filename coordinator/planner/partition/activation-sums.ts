import type { Choice } from "./recompute-choices.ts";

/** Over the layers in front of each, to tell at once that all or nothing fits. */
export class ActivationSums {
  readonly #fastestMs: Float64Array;
  readonly #fastestBytes: Float64Array;
  readonly #fewestBytes: Float64Array;
  /** Largest of the fastest choices' workspaces. */
  readonly #workspaceBytes: number;
  readonly #layers: readonly (readonly Choice[])[];
  #limits: WorkspaceLimit[] | undefined;

  /** @param layers choices of each, the fastest first */
  constructor(layers: readonly (readonly Choice[])[]) {
    const fastest = layers.map((choices) => choices[0] as Choice);
    this.#layers = layers;
    this.#fastestMs = prefixSums(fastest.map(({ extraMs }) => extraMs));
    this.#fastestBytes = prefixSums(fastest.map(({ activationBytes }) => activationBytes));
    this.#fewestBytes = prefixSums(layers.map((choices) => fewest(choices)));
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
    this.#limits ??= limitsOf(this.#layers);
    let least = Number.POSITIVE_INFINITY;
    for (const { workspaceBytes, fewestBytes, impossible } of this.#limits) {
      if (workspaceBytes - budget >= least) break;
      if (over(impossible, from, to) > 0) continue;
      least = Math.min(least, inFlight * over(fewestBytes, from, to) + workspaceBytes - budget);
    }
    return least;
  }
}

/** What layers keep at least when no choice of a larger workspace is taken. */
interface WorkspaceLimit {
  workspaceBytes: number;
  fewestBytes: Float64Array;
  /** Layers without such a choice. */
  impossible: Float64Array;
}

/** By rising limit. */
function limitsOf(layers: readonly (readonly Choice[])[]): WorkspaceLimit[] {
  const limits = new Set(layers.flat().map(({ workspaceBytes }) => workspaceBytes));
  return [...limits]
    .sort((a, b) => a - b)
    .map((limit) => {
      const least = layers.map((choices) =>
        fewest(choices.filter(({ workspaceBytes }) => workspaceBytes <= limit)),
      );
      return {
        workspaceBytes: limit,
        fewestBytes: prefixSums(least.map((bytes) => (Number.isFinite(bytes) ? bytes : 0))),
        impossible: prefixSums(least.map((bytes) => (Number.isFinite(bytes) ? 0 : 1))),
      };
    });
}

function fewest(choices: readonly Choice[]): number {
  return choices.reduce(
    (least, { activationBytes }) => Math.min(least, activationBytes),
    Number.POSITIVE_INFINITY,
  );
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
