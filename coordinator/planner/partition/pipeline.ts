import type { ModelWork, Work } from "../work.ts";

/** Layers to be cut into stages, each a contiguous interval of at least one. */
export interface Pipeline {
  work: ModelWork;
  numStages: number;
  numMicroBatches: number;
}

/**
 * Work of any interval of layers in constant time, the embedding counted to the
 * first layer and the head to the last.
 */
export class IntervalWork {
  readonly numLayers: number;
  readonly #forward: Float64Array;
  readonly #backward: Float64Array;

  constructor(work: ModelWork) {
    this.numLayers = work.layers.length;
    this.#forward = prefixSums(work, (part) => part.forward);
    this.#backward = prefixSums(work, (part) => part.backward);
  }

  /** Layers `[from, to)`. */
  forward(from: number, to: number): number {
    return (this.#forward[to] as number) - (this.#forward[from] as number);
  }

  backward(from: number, to: number): number {
    return (this.#backward[to] as number) - (this.#backward[from] as number);
  }

  total(from: number, to: number): number {
    return this.forward(from, to) + this.backward(from, to);
  }
}

function prefixSums(work: ModelWork, pick: (part: Work) => number): Float64Array {
  const count = work.layers.length;
  const sums = new Float64Array(count + 1);
  for (const [index, layer] of work.layers.entries()) {
    const before = index === 0 ? pick(work.embedding) : 0;
    const after = index === count - 1 ? pick(work.head) : 0;
    sums[index + 1] = (sums[index] as number) + before + pick(layer) + after;
  }
  return sums;
}

/** Work of each stage of a split, given as layers per stage. */
export function stageWork(work: ModelWork, layersPerStage: readonly number[]): Work[] {
  const intervals = new IntervalWork(work);
  let from = 0;
  return layersPerStage.map((count) => {
    const to = from + count;
    const stage = { forward: intervals.forward(from, to), backward: intervals.backward(from, to) };
    from = to;
    return stage;
  });
}

/** The most even split by number of layers; earlier stages take the remainder. */
export function evenSplit(numLayers: number, numStages: number): number[] {
  const base = Math.floor(numLayers / numStages);
  const extra = numLayers % numStages;
  return Array.from({ length: numStages }, (_, stage) => base + (stage < extra ? 1 : 0));
}

/** `[5,5,4]`, or for many stages `[5 (20 stages), 4 (12 stages)]`. */
export function formatSplit(layersPerStage: readonly number[]): string {
  if (layersPerStage.length <= 16) return `[${layersPerStage}]`;
  const runs: { layers: number; stages: number }[] = [];
  for (const layers of layersPerStage) {
    const last = runs.at(-1);
    if (last?.layers === layers) last.stages++;
    else runs.push({ layers, stages: 1 });
  }
  return `[${runs.map(({ layers, stages }) => `${layers} (${stages} ${stages === 1 ? "stage" : "stages"})`).join(", ")}]`;
}
