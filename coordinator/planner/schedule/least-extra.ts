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

/**
 * Recompute for the layers of one rank: greedy by bytes freed a millisecond, then
 * every layer that can go back to a faster option does. Good, not always least.
 *
 * @param vectors micro-batches of each chunk that are in flight at once: every peak
 */
export function leastExtra(
  layers: readonly PartitionLayer[],
  chunks: readonly ChunkLayers[],
  vectors: readonly (readonly number[])[],
  limitBytes: number,
): RankChoice {
  const options = chunks.map(({ from, to }) =>
    layers.slice(from, to).map((layer) => fastest(layer.options)),
  );
  const optionOf = (chunk: number, index: number, option: number) => {
    const from = chunks[chunk]?.from ?? 0;
    return layers[from + index]?.options[option] as RecomputeOption;
  };
  const memory = () => rankMemoryBytes(layers, chunks, options, vectors);
  const weight = chunks.map((_, chunk) => Math.max(...vectors.map((v) => v[chunk] ?? 0)));

  let bytes = memory();
  const changed: [chunk: number, index: number][] = [];
  while (bytes > limitBytes) {
    let best: { chunk: number; index: number; option: number; rate: number } | undefined;
    for (const [chunk, own] of options.entries()) {
      for (const [index, current] of own.entries()) {
        const now = optionOf(chunk, index, current);
        const all = layers[(chunks[chunk]?.from ?? 0) + index]?.options ?? [];
        for (const [option, each] of all.entries()) {
          const freed = (now.activationBytes - each.activationBytes) * (weight[chunk] as number);
          if (freed <= 0) continue;
          const extraMs = Math.max(0, each.extraBackwardMs - now.extraBackwardMs);
          const rate = freed / (extraMs + 1e-9);
          if (!best || rate > best.rate) best = { chunk, index, option, rate };
        }
      }
    }
    if (!best) break;
    (options[best.chunk] as number[])[best.index] = best.option;
    changed.push([best.chunk, best.index]);
    bytes = memory();
  }
  if (bytes <= limitBytes) {
    for (const [chunk, index] of changed) bytes = goBack(chunk, index, bytes);
  }
  return { options, memoryBytes: bytes, missingBytes: Math.max(0, bytes - limitBytes) };

  function goBack(chunk: number, index: number, before: number): number {
    const own = options[chunk] as number[];
    const kept = own[index] as number;
    const all = layers[(chunks[chunk]?.from ?? 0) + index]?.options ?? [];
    const faster = all
      .map((each, option) => ({ option, extraMs: each.extraBackwardMs }))
      .filter(({ extraMs }) => extraMs < optionOf(chunk, index, kept).extraBackwardMs)
      .sort((a, b) => a.extraMs - b.extraMs);
    for (const { option } of faster) {
      own[index] = option;
      const after = memory();
      if (after <= limitBytes) return after;
    }
    own[index] = kept;
    return before;
  }
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
  const peaks = vectors.map((counts) =>
    counts.reduce((sum, count, chunk) => sum + count * (held[chunk] as number), 0),
  );
  return staticBytes + Math.max(0, ...peaks) + workspace;
}

function fastest(options: readonly RecomputeOption[]): number {
  return options.reduce((best, option, index) => {
    const other = options[best] as RecomputeOption;
    const faster = option.extraBackwardMs - other.extraBackwardMs;
    const smaller = option.activationBytes - other.activationBytes;
    return faster < 0 || (faster === 0 && smaller < 0) ? index : best;
  }, 0);
}
