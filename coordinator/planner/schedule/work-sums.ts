import type { PartitionLayer } from "../partition/problem.ts";
import { weightGradMsOf } from "./schedule-problem.ts";

/** Forward, backward and weight-gradient time and static bytes of any interval of layers. */
export class WorkSums {
  readonly numLayers: number;
  readonly #forward: Float64Array;
  readonly #backward: Float64Array;
  readonly #weightGrad: Float64Array;
  readonly #static: Float64Array;

  constructor(layers: readonly PartitionLayer[]) {
    this.numLayers = layers.length;
    this.#forward = prefix(layers, (layer) => layer.forwardMs);
    this.#backward = prefix(layers, (layer) => layer.backwardMs);
    this.#weightGrad = prefix(layers, weightGradMsOf);
    this.#static = prefix(layers, (layer) => layer.staticBytes);
  }

  /** Layers `[from, to)`. */
  forwardMs(from: number, to: number): number {
    return between(this.#forward, from, to);
  }

  /** Without recompute. */
  backwardMs(from: number, to: number): number {
    return between(this.#backward, from, to);
  }

  weightGradMs(from: number, to: number): number {
    return between(this.#weightGrad, from, to);
  }

  staticBytes(from: number, to: number): number {
    return between(this.#static, from, to);
  }
}

function prefix(
  layers: readonly PartitionLayer[],
  value: (layer: PartitionLayer) => number,
): Float64Array {
  const sums = new Float64Array(layers.length + 1);
  for (const [index, layer] of layers.entries()) {
    sums[index + 1] = (sums[index] as number) + value(layer);
  }
  return sums;
}

function between(sums: Float64Array, from: number, to: number): number {
  return (sums[to] as number) - (sums[from] as number);
}
