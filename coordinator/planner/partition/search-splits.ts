import { type BegunSplit, emptySplit, nextSplits, simulated } from "./begun-split.ts";
import type { BoundFronts } from "./bound-fronts.ts";
import { isShorter } from "./compare-times.ts";
import { type EvaluatedSplit, evaluateEnds } from "./evaluate-split.ts";
import { MinHeap } from "./heap.ts";
import { improveSplit, isBetter } from "./improve-split.ts";
import type { StageCosts } from "./stage-costs.ts";

export interface SearchLimits {
  /** Splits slower than this are not wanted. */
  limitMs: number;
  maxSimulations: number;
  maxExpansions: number;
}

export interface FoundSplit {
  best: EvaluatedSplit;
  /** No split is faster, unless it is slower than the limit. */
  boundMs: number;
  simulations: number;
}

/**
 * The best split, best first over the splits' first stages by their bounds;
 * undefined when none is within the limit.
 */
export function searchSplits(
  costs: StageCosts,
  fronts: BoundFronts,
  limits: SearchLimits,
): FoundSplit | undefined {
  return new SplitSearch(costs, fronts, limits).run();
}

class SplitSearch {
  readonly #costs: StageCosts;
  readonly #fronts: BoundFronts;
  readonly #limits: SearchLimits;
  readonly #heap = new MinHeap<BegunSplit>();
  #best: EvaluatedSplit | undefined;
  #simulations = 0;
  #expansions = 0;

  constructor(costs: StageCosts, fronts: BoundFronts, limits: SearchLimits) {
    this.#costs = costs;
    this.#fronts = fronts;
    this.#limits = limits;
  }

  run(): FoundSplit | undefined {
    let { limitMs: boundMs } = this.#limits;
    this.#push(emptySplit(this.#fronts));
    for (let entry = this.#heap.pop(); entry !== undefined; entry = this.#heap.pop()) {
      const begun = entry.value;
      if (this.#best !== undefined && (this.#isSpent || !this.#canWin(begun))) {
        boundMs = Math.min(boundMs, begun.boundMs);
        break;
      }
      if (!begun.isSimulated) this.#push(simulated(begun, this.#fronts, this.#costs));
      else this.#goOn(begun);
    }
    const best = this.#best;
    if (best === undefined) return undefined;
    const isOpen = isShorter(boundMs, best.simulatedMs);
    return {
      best,
      boundMs: isOpen ? boundMs : best.simulatedMs,
      simulations: this.#simulations,
    };
  }

  get #isSpent(): boolean {
    const { maxSimulations, maxExpansions } = this.#limits;
    return this.#simulations >= maxSimulations || this.#expansions >= maxExpansions;
  }

  /** By one stage; all the way down while there is no whole split to compare with. */
  #goOn(start: BegunSplit): void {
    let begun: BegunSplit | undefined = start;
    while (begun !== undefined && begun.shapes.length < this.#costs.problem.stages) {
      this.#expansions++;
      const next = nextSplits(begun, this.#fronts, this.#costs);
      begun = this.#best === undefined && this.#isWanted(next[0]) ? next.shift() : undefined;
      for (const each of next) this.#push(each);
    }
    if (begun !== undefined) this.#evaluate(begun);
  }

  /** Any split will do when too many begin well and end beyond the limit. */
  #isWanted(begun: BegunSplit | undefined): boolean {
    return begun !== undefined && (this.#isSpent || begun.boundMs <= this.#limits.limitMs);
  }

  #canWin({ boundMs }: BegunSplit): boolean {
    return this.#best === undefined || isShorter(boundMs, this.#best.simulatedMs);
  }

  #push(begun: BegunSplit): void {
    if (begun.boundMs > this.#limits.limitMs || !this.#canWin(begun)) return;
    // A deeper one of the same bound first: it is nearer to a simulation.
    this.#heap.push(begun.boundMs * (1 - 1e-14 * begun.shapes.length), begun);
  }

  #evaluate({ shapes }: BegunSplit): void {
    const ends = shapes.map(({ to }) => to);
    const split = evaluateEnds(this.#costs, ends);
    this.#simulations++;
    if (split === undefined || (this.#best !== undefined && !isBetter(split, this.#best))) return;
    this.#best = improveSplit(this.#costs, split);
  }
}
