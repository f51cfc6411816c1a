/** A binary min-heap; items of equal priority come out in no fixed order. */
export class MinHeap<T> {
  readonly #items: { priority: number; value: T }[] = [];

  get size(): number {
    return this.#items.length;
  }

  push(priority: number, value: T): void {
    const items = this.#items;
    items.push({ priority, value });
    for (let child = items.length - 1; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (this.#priority(parent) <= this.#priority(child)) break;
      this.#swap(parent, child);
      child = parent;
    }
  }

  /** The item of least priority, removed; undefined when empty. */
  pop(): { priority: number; value: T } | undefined {
    const items = this.#items;
    const least = items[0];
    const last = items.pop();
    if (least === undefined || last === undefined || items.length === 0) return least;
    items[0] = last;
    for (let parent = 0; ; ) {
      const left = 2 * parent + 1;
      if (left >= items.length) break;
      const right = left + 1;
      const child =
        right < items.length && this.#priority(right) < this.#priority(left) ? right : left;
      if (this.#priority(parent) <= this.#priority(child)) break;
      this.#swap(parent, child);
      parent = child;
    }
    return least;
  }

  #priority(index: number): number {
    return (this.#items[index] as { priority: number }).priority;
  }

  #swap(a: number, b: number): void {
    const items = this.#items;
    const held = items[a] as { priority: number; value: T };
    items[a] = items[b] as { priority: number; value: T };
    items[b] = held;
  }
}
