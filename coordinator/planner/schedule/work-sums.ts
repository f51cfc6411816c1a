import type { PartitionLayer } from "../partition/problem.ts";
import { weightGradMsOf } from "./schedule-problem.ts";

/** Times, communication in them, and static bytes of any interval of layers. */
export class WorkSums {
  readonly numLayers: number;
  readonly #forward: Float64Array;
  readonly #backward: Float64Array;
  readonly #weightGrad: Float64Array;
  readonly #forwardCommunication: Float64Array;
  readonly #backwardCommunication: Float64Array;
  readonly #static: Float64Array;
  /** Forward and backward of all layers before each, and of all. */
  readonly timesMs: Float64Array;
  /** The same of static bytes, in shares of all, or in layers where all is nothing. */
  readonly staticShares: Float64Array;

  constructor(layers: readonly PartitionLayer[]) {
    this.numLayers = layers.length;
    this.#forward = prefix(layers, (layer) => layer.forwardMs);
    this.#backward = prefix(layers, (layer) => layer.backwardMs);
    this.#weightGrad = prefix(layers, weightGradMsOf);
    this.#forwardCommunication = prefix(layers, (layer) => layer.forwardCommunicationMs ?? 0);
    this.#backwardCommunication = prefix(layers, (layer) => layer.backwardCommunicationMs ?? 0);
    this.#static = prefix(layers, (layer) => layer.staticBytes);
    this.timesMs = prefix(layers, (layer) => layer.forwardMs + layer.backwardMs);
    const all = this.staticBytes(0, layers.length);
    this.staticShares = prefix(layers, (layer) => (all > 0 ? layer.staticBytes / all : 1));
  }

  /** Layers `[from, to)`, communication included. */
  forwardMs(from: number, to: number): number {
    return between(this.#forward, from, to);
  }

  /** Without recompute, communication included. */
  backwardMs(from: number, to: number): number {
    return between(this.#backward, from, to);
  }

  weightGradMs(from: number, to: number): number {
    return between(this.#weightGrad, from, to);
  }

  forwardCommunicationMs(from: number, to: number): number {
    return between(this.#forwardCommunication, from, to);
  }

  backwardCommunicationMs(from: number, to: number): number {
    return between(this.#backwardCommunication, from, to);
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
