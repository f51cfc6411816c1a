/** How long what failed waits for its next attempt. */
export interface RetryOptions {
  firstMs: number;
  mostMs: number;
  /** 0 ≤ x < 1, so that those that failed together do not come back together. */
  random: () => number;
}

/** Between half of it and all of it, twice as long after each failure in a row. Pure. */
export function retryMs(numFailures: number, { firstMs, mostMs, random }: RetryOptions): number {
  const wholeMs = Math.min(mostMs, firstMs * 2 ** Math.min(Math.max(0, numFailures - 1), 30));
  return wholeMs * (0.5 + random() / 2);
}
