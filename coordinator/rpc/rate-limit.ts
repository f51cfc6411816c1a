/** So many a second on average, and `burst` of them at once. */
export type Rate = { perSecond: number; burst: number };

/** Keys kept before those that say nothing any more are dropped. */
const SWEEP_AT = 10_000;

/**
 * A token bucket a key, kept as the one number it takes (the generic cell rate algorithm,
 * ITU-T I.371): the time at which the bucket will be full again.
 */
export class RateLimit {
  readonly #intervalMs: number;
  readonly #burst: number;
  readonly #fullAtMs = new Map<string, number>();

  constructor({ perSecond, burst }: Rate) {
    this.#intervalMs = 1000 / perSecond;
    this.#burst = burst;
  }

  /** Takes one token if there is one. `nowMs` is of a clock that never goes back. */
  take(key: string, nowMs: number): boolean {
    if (this.#lacking(key, nowMs) > 0) return false;
    this.#spend(key, nowMs);
    return true;
  }

  /** Takes one token, from the future if need be; returns how long to wait for it. */
  reserve(key: string, nowMs: number): number {
    const waitMs = this.#lacking(key, nowMs);
    this.#spend(key, nowMs);
    return waitMs;
  }

  /** Time until the bucket holds one token; 0 if it does. */
  #lacking(key: string, nowMs: number): number {
    const missingMs = Math.max(0, (this.#fullAtMs.get(key) ?? 0) - nowMs);
    return Math.max(0, missingMs - (this.#burst - 1) * this.#intervalMs);
  }

  #spend(key: string, nowMs: number): void {
    if (this.#fullAtMs.size >= SWEEP_AT) this.#sweep(nowMs);
    const fullAtMs = Math.max(this.#fullAtMs.get(key) ?? 0, nowMs);
    this.#fullAtMs.set(key, fullAtMs + this.#intervalMs);
  }

  /** A full bucket is as good as none. */
  #sweep(nowMs: number): void {
    for (const [key, fullAtMs] of this.#fullAtMs) {
      if (fullAtMs <= nowMs) this.#fullAtMs.delete(key);
    }
  }
}
