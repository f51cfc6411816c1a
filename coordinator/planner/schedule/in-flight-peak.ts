/** Micro-batches of a rank's chunks alive at once. */
export interface InFlightPeak {
  numChunks: number;
  /** Over all chunks. */
  sum: number;
  /** Of the chunk that keeps fewest. */
  least: number;
}

/** Of the counts by chunk that a rank has between its passes. */
export function peakOf(vectors: readonly (readonly number[])[]): InFlightPeak {
  let peak: InFlightPeak = { numChunks: 1, sum: 0, least: 0 };
  for (const counts of vectors) {
    const sum = counts.reduce((a, b) => a + b, 0);
    if (sum > peak.sum) peak = { numChunks: counts.length, sum, least: Math.min(...counts) };
  }
  return peak;
}

/**
 * Micro-batches that the mean layer of a rank keeps alive at least: every chunk has
 * a layer, and the others are where fewest are kept.
 */
export function leastInFlight({ numChunks, sum, least }: InFlightPeak, mostLayers: number): number {
  const others = Math.max(0, mostLayers - numChunks);
  return (sum + others * least) / (numChunks + others);
}
