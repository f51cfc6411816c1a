/**
 * Tells what of a stream is new after it has begun anew, from its first line or byte.
 * Several sources may be mixed in one stream, each in its own order.
 */
export class Untold {
  readonly #told = new Map<string, number>();
  readonly #seen = new Map<string, number>();

  /** The stream begins anew. */
  again(): void {
    this.#seen.clear();
  }

  /** How many of the next `count` lines or bytes of a source, its last ones, are new. */
  take(count: number, source = ""): number {
    const seen = (this.#seen.get(source) ?? 0) + count;
    const told = this.#told.get(source) ?? 0;
    this.#seen.set(source, seen);
    this.#told.set(source, Math.max(told, seen));
    return Math.max(0, Math.min(count, seen - told));
  }
}
