import type { PartitionLayer, RecomputeOption } from "../partition/problem.ts";

/** A chunk's interval of layers, `[from, to)`. */
export interface ChunkLayers {
  from: number;
  to: number;
}

export interface RankChoice {
  /** Index of each layer's option, chunk after chunk. */
  options: number[][];
  memoryBytes: number;
  /** Memory above the limit; 0 when it fits. */
  missingBytes: number;
}

/** From one option of a layer to the next smaller one. */
interface Step {
  option: number;
  freedBytes: number;
  extraMs: number;
  /** Bytes freed a millisecond. */
  rate: number;
}

/** A layer's options that are worth it: the fastest, and steps to smaller ones by falling rate. */
interface Ladder {
  fastest: number;
  steps: readonly Step[];
}

/** Options of a problem's layers, in the order in which a rank short of memory takes them. */
export class RecomputeLadders {
  readonly #layers: readonly PartitionLayer[];
  readonly #ladders: Ladder[];

  constructor(layers: readonly PartitionLayer[]) {
    this.#layers = layers;
    this.#ladders = layers.map(ladderOf);
  }

  /**
   * Recompute for the layers of one rank: greedy by bytes freed a millisecond, then
   * every layer that can go back to a faster option does. Good, not always least.
   *
   * @param vectors micro-batches of each chunk that are in flight at once: every peak
   */
  leastExtra(
    chunks: readonly ChunkLayers[],
    vectors: readonly (readonly number[])[],
    limitBytes: number,
  ): RankChoice {
    const options = chunks.map(({ from, to }) =>
      this.#ladders.slice(from, to).map(({ fastest }) => fastest),
    );
    const memory = () => rankMemoryBytes(this.#layers, chunks, options, vectors);
    let bytes = memory();
    if (bytes <= limitBytes) return { options, memoryBytes: bytes, missingBytes: 0 };

    const taken: Move[] = [];
    const held = chunks.map((chunk, index) => this.#keptBytes(chunk, options[index] ?? []));
    const peakOf = () => Math.max(0, ...vectors.map((counts) => dot(counts, held)));
    const room = limitBytes - this.#staticBytes(chunks);
    for (const move of this.#moves(chunks, vectors)) {
      // The workspace depends on all options: looked at where the rest fits.
      if (peakOf() <= room && memory() <= limitBytes) break;
      held[move.chunk] = (held[move.chunk] as number) - move.freedBytes;
      (options[move.chunk] as number[])[move.index] = move.option;
      taken.push(move);
    }
    bytes = memory();
    for (const move of taken.reverse()) {
      if (bytes > limitBytes) break;
      const own = options[move.chunk] as number[];
      // A layer that has moved further keeps where it is.
      if (own[move.index] !== move.option) continue;
      own[move.index] = move.before;
      const after = memory();
      if (after <= limitBytes) bytes = after;
      else own[move.index] = move.option;
    }
    return { options, memoryBytes: bytes, missingBytes: Math.max(0, bytes - limitBytes) };
  }

  #staticBytes(chunks: readonly ChunkLayers[]): number {
    let bytes = 0;
    for (const { from, to } of chunks) {
      for (let layer = from; layer < to; layer++) bytes += this.#layers[layer]?.staticBytes ?? 0;
    }
    return bytes;
  }

  #keptBytes({ from }: ChunkLayers, options: readonly number[]): number {
    let bytes = 0;
    for (const [index, option] of options.entries()) {
      bytes += this.#layers[from + index]?.options[option]?.activationBytes ?? 0;
    }
    return bytes;
  }

  /** Every step of a rank's layers, the most bytes a millisecond first. */
  #moves(chunks: readonly ChunkLayers[], vectors: readonly (readonly number[])[]): Move[] {
    const moves: Move[] = [];
    for (const [chunk, { from, to }] of chunks.entries()) {
      const weight = Math.max(...vectors.map((counts) => counts[chunk] ?? 0));
      for (let layer = from; layer < to; layer++) {
        const { fastest, steps } = this.#ladders[layer] as Ladder;
        let before = fastest;
        for (const { option, freedBytes, rate } of steps) {
          const index = layer - from;
          moves.push({ chunk, index, before, option, freedBytes, rate: weight * rate });
          before = option;
        }
      }
    }
    // A stable sort keeps the steps of a layer in order, for their rates fall.
    return moves.sort((a, b) => b.rate - a.rate);
  }
}

interface Move {
  chunk: number;
  /** Of the layer in its chunk. */
  index: number;
  before: number;
  option: number;
  freedBytes: number;
  rate: number;
}

function ladderOf({ options }: PartitionLayer): Ladder {
  const fastest = fastestOf(options);
  const steps: Step[] = [];
  let current = options[fastest] as RecomputeOption;
  for (;;) {
    let best: Step | undefined;
    for (const [option, { activationBytes, extraBackwardMs }] of options.entries()) {
      const freedBytes = current.activationBytes - activationBytes;
      if (freedBytes <= 0) continue;
      const extraMs = Math.max(0, extraBackwardMs - current.extraBackwardMs);
      const rate = freedBytes / (extraMs + 1e-9);
      if (best === undefined || rate > best.rate) best = { option, freedBytes, extraMs, rate };
    }
    if (best === undefined) return { fastest, steps };
    steps.push(best);
    current = options[best.option] as RecomputeOption;
  }
}

function dot(counts: readonly number[], bytes: readonly number[]): number {
  let sum = 0;
  for (let chunk = 0; chunk < bytes.length; chunk++) {
    sum += (counts[chunk] ?? 0) * (bytes[chunk] as number);
  }
  return sum;
}

/** Most that a rank holds: static, the worst in-flight peak, the largest workspace. */
export function rankMemoryBytes(
  layers: readonly PartitionLayer[],
  chunks: readonly ChunkLayers[],
  options: readonly (readonly number[])[],
  vectors: readonly (readonly number[])[],
): number {
  let staticBytes = 0;
  let workspace = 0;
  const held = chunks.map(({ from }, chunk) => {
    let bytes = 0;
    for (const [index, option] of (options[chunk] ?? []).entries()) {
      const layer = layers[from + index] as PartitionLayer;
      const { activationBytes, workspaceBytes = 0 } = layer.options[option] as RecomputeOption;
      bytes += activationBytes;
      staticBytes += layer.staticBytes;
      workspace = Math.max(workspace, workspaceBytes);
    }
    return bytes;
  });
  const peaks = vectors.map((counts) => dot(counts, held));
  return staticBytes + Math.max(0, ...peaks) + workspace;
}

function fastestOf(options: readonly RecomputeOption[]): number {
  return options.reduce((best, option, index) => {
    const other = options[best] as RecomputeOption;
    const faster = option.extraBackwardMs - other.extraBackwardMs;
    const smaller = option.activationBytes - other.activationBytes;
    return faster < 0 || (faster === 0 && smaller < 0) ? index : best;
  }, 0);
}
