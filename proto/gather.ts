/**
 * Collects one item per source for every step and hands a step's items over,
 * in source order, once all sources have given theirs. Used by an agent over
 * its ranks and by the coordinator over its agents.
 */
export class Gather<Source, Item> {
  readonly #sources: readonly Source[];
  readonly #waiting = new Map<bigint, Map<Source, Item>>();

  /** `sources`: identities of those that must report, in the order to hand over. */
  constructor(sources: readonly Source[]) {
    this.#sources = sources;
  }

  /** Whether the source has given its item of a step that others have not. */
  has(step: bigint, source: Source): boolean {
    return this.#waiting.get(step)?.has(source) ?? false;
  }

  /** Returns the step's items if `source` was the last one missing. */
  add(step: bigint, source: Source, item: Item): Item[] | undefined {
    if (!this.#sources.includes(source)) {
      throw new Error(`source ${source} is not one of ${this.#sources.join(", ")}`);
    }
    const items = this.#waiting.get(step) ?? new Map<Source, Item>();
    if (items.has(source)) throw new Error(`source ${source} reported step ${step} twice`);
    items.set(source, item);
    if (items.size < this.#sources.length) {
      this.#waiting.set(step, items);
      return undefined;
    }
    this.#waiting.delete(step);
    return this.#sources.flatMap((key) => {
      const found = items.get(key);
      return found === undefined ? [] : [found];
    });
  }
}
