import { prefixSums } from "./activation-sums.ts";
import type { PartitionProblem } from "./problem.ts";
import { optionsOfFirst } from "./recompute-first.ts";
import { type KnapsackResult, RecomputeKnapsack } from "./recompute-knapsack.ts";

/** Micro-batches alive on a stage under 1F1B. */
export function inFlightOf(stage: number, numStages: number, numMicroBatches: number): number {
  return Math.min(numMicroBatches, numStages - stage);
}

/**
 * Times of any interval of layers on any stage in constant time, and the least
 * recompute with which it fits there.
 */
export class StageCosts {
  readonly problem: PartitionProblem;
  readonly numLayers: number;
  readonly forward: Float64Array;
  readonly backward: Float64Array;
  readonly static: Float64Array;
  readonly memory: readonly number[];
  readonly knapsack: RecomputeKnapsack;
  readonly #extra = new Map<number, number>();
  readonly #fitted = new Map<number, KnapsackResult | undefined>();
  /** Where the layers equal to this one end. */
  readonly #runEnd: Int32Array;
  /** First layer of the model that equals this one. */
  readonly #runKind: Int32Array;

  constructor(problem: PartitionProblem) {
    const { layers, stages, memoryBytes } = problem;
    this.problem = problem;
    this.numLayers = layers.length;
    this.forward = prefixSums(layers.map(({ forwardMs }) => forwardMs));
    this.backward = prefixSums(layers.map(({ backwardMs }) => backwardMs));
    this.static = prefixSums(layers.map(({ staticBytes }) => staticBytes));
    this.memory =
      typeof memoryBytes === "number" ? new Array<number>(stages).fill(memoryBytes) : memoryBytes;
    this.knapsack = new RecomputeKnapsack(layers);
    const kinds = new Map<string, number>();
    this.#runKind = Int32Array.from(layers, ({ staticBytes }, index) => {
      const key = `${this.knapsack.classOf(index)} ${staticBytes}`;
      const first = kinds.get(key) ?? index;
      kinds.set(key, first);
      return first;
    });
    this.#runEnd = new Int32Array(layers.length);
    for (let index = layers.length - 1; index >= 0; index--) {
      const isRun = this.#runKind[index] === this.#runKind[index + 1];
      this.#runEnd[index] = isRun ? (this.#runEnd[index + 1] as number) : index + 1;
    }
  }

  forwardMs(from: number, to: number): number {
    return (this.forward[to] as number) - (this.forward[from] as number);
  }

  /** Without recompute. */
  backwardMs(from: number, to: number): number {
    return (this.backward[to] as number) - (this.backward[from] as number);
  }

  staticBytes(from: number, to: number): number {
    return (this.static[to] as number) - (this.static[from] as number);
  }

  /** Memory of a stage that its static bytes leave. */
  budget(stage: number, from: number, to: number): number {
    return (this.memory[stage] as number) - this.staticBytes(from, to);
  }

  inFlight(stage: number): number {
    return inFlightOf(stage, this.problem.stages, this.problem.microBatches);
  }

  /**
   * A lower bound on the extra backward time of layers `[from, to)` on a stage,
   * exact when they are of few classes; infinite when they do not fit.
   */
  leastExtraMs(stage: number, from: number, to: number): number {
    const key = this.#key(stage, from, to);
    let extra = this.#extra.get(key);
    if (extra === undefined) {
      extra = this.#leastExtraMs(stage, from, to);
      this.#extra.set(key, extra);
    }
    return extra;
  }

  /** The least recompute found with which layers `[from, to)` fit a stage; undefined when none does. */
  fitted(stage: number, from: number, to: number): KnapsackResult | undefined {
    const key = this.#key(stage, from, to);
    if (this.#fitted.has(key)) return this.#fitted.get(key);
    const found = this.#isTooHeavy(from, to)
      ? undefined
      : this.problem.recomputeFirst === undefined
        ? this.knapsack.solve(from, to, this.budget(stage, from, to), this.inFlight(stage))
        : this.#first(stage, from, to);
    this.#fitted.set(key, found);
    return found;
  }

  /** Intervals of equal layers cost the same wherever they begin. */
  #key(stage: number, from: number, to: number): number {
    const size = this.numLayers + 1;
    const start = to <= (this.#runEnd[from] as number) ? (this.#runKind[from] as number) : from;
    return (stage * size + start) * size + (to - from);
  }

  /** Memory that layers `[from, to)` lack on a stage, above 0, or have left, with the smallest options. */
  missingBytes(stage: number, from: number, to: number): number {
    const budget = this.budget(stage, from, to);
    if (this.problem.recomputeFirst === undefined) {
      return this.knapsack.missing(from, to, budget, this.inFlight(stage));
    }
    return this.#neededByFirst(stage, from, to).bytes - budget;
  }

  #isTooHeavy(from: number, to: number): boolean {
    const { mostStaticBytes } = this.problem;
    return mostStaticBytes !== undefined && this.staticBytes(from, to) > mostStaticBytes;
  }

  #first(stage: number, from: number, to: number): KnapsackResult | undefined {
    const { bytes, extraMs, options } = this.#neededByFirst(stage, from, to);
    if (bytes > this.budget(stage, from, to)) return undefined;
    return { extraMs, isLeast: true, options };
  }

  /** What the options of `recomputeFirst` need beside static bytes. */
  #neededByFirst(stage: number, from: number, to: number) {
    const layers = this.problem.layers.slice(from, to);
    const options = optionsOfFirst(layers, this.problem.recomputeFirst ?? 0);
    let extraMs = 0;
    let bytes = 0;
    let workspace = 0;
    for (const [index, layer] of layers.entries()) {
      const option = layer.options[options[index] as number];
      extraMs += option?.extraBackwardMs ?? 0;
      bytes += this.inFlight(stage) * (option?.activationBytes ?? 0);
      workspace = Math.max(workspace, option?.workspaceBytes ?? 0);
    }
    return { bytes: bytes + workspace, extraMs, options };
  }

  #leastExtraMs(stage: number, from: number, to: number): number {
    if (this.problem.recomputeFirst !== undefined) {
      return this.fitted(stage, from, to)?.extraMs ?? Number.POSITIVE_INFINITY;
    }
    if (this.#isTooHeavy(from, to)) return Number.POSITIVE_INFINITY;
    const budget = this.budget(stage, from, to);
    const inFlight = this.inFlight(stage);
    const plain = this.knapsack.plainExtraMs(from, to, budget, inFlight);
    if (plain !== undefined) return plain;
    if (!this.knapsack.isSmall(from, to)) {
      return this.knapsack.leastExtraMs(from, to, budget, inFlight);
    }
    const exact = this.fitted(stage, from, to);
    if (exact === undefined) return Number.POSITIVE_INFINITY;
    return exact.isLeast ? exact.extraMs : this.knapsack.leastExtraMs(from, to, budget, inFlight);
  }
}
