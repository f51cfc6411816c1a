import type { PartitionProblem } from "./problem.ts";
import { RecomputeKnapsack } from "./recompute-knapsack.ts";

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
  /** Where the layers equal to this one end. */
  readonly #runEnd: Int32Array;
  /** First layer of the model that equals this one. */
  readonly #runKind: Int32Array;

  constructor(problem: PartitionProblem) {
    const { layers, stages, memoryBytes } = problem;
    this.problem = problem;
    this.numLayers = layers.length;
    this.forward = prefix(layers.map(({ forwardMs }) => forwardMs));
    this.backward = prefix(layers.map(({ backwardMs }) => backwardMs));
    this.static = prefix(layers.map(({ staticBytes }) => staticBytes));
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
    const size = this.numLayers + 1;
    // Intervals of equal layers cost the same wherever they begin.
    const start = to <= (this.#runEnd[from] as number) ? (this.#runKind[from] as number) : from;
    const key = (stage * size + start) * size + (to - from);
    const known = this.#extra.get(key);
    if (known !== undefined) return known;
    const extra = this.#leastExtraMs(stage, from, to);
    this.#extra.set(key, extra);
    return extra;
  }

  #leastExtraMs(stage: number, from: number, to: number): number {
    const budget = this.budget(stage, from, to);
    const inFlight = this.inFlight(stage);
    const relaxed = this.knapsack.leastExtraMs(from, to, budget, inFlight);
    if (relaxed === 0 || relaxed === Number.POSITIVE_INFINITY) return relaxed;
    if (!this.knapsack.isSmall(from, to)) return relaxed;
    const exact = this.knapsack.solve(from, to, budget, inFlight);
    if (exact === undefined) return Number.POSITIVE_INFINITY;
    return exact.isLeast ? exact.extraMs : relaxed;
  }
}

function prefix(values: readonly number[]): Float64Array {
  const sums = new Float64Array(values.length + 1);
  for (const [index, value] of values.entries()) {
    sums[index + 1] = (sums[index] as number) + value;
  }
  return sums;
}
