import type { Placed } from "../store/store.ts";

/**
 * The free slots of the agents of one kind, found by how many an agent has, so that
 * no placement looks at all agents.
 */
export class SlotPool {
  readonly #free = new Map<string, readonly number[]>();
  /** Agents by the number of their free slots. */
  readonly #byCount: Set<string>[] = [];
  #total = 0;

  /** Free slots of all agents together. */
  get total(): number {
    return this.#total;
  }

  /** The agent's free slots, ascending. */
  slots(agentId: string): readonly number[] {
    return this.#free.get(agentId) ?? [];
  }

  add(placed: Iterable<Placed>): void {
    for (const { agentId, slots } of placed) {
      const all = [...new Set([...this.slots(agentId), ...slots])].sort((a, b) => a - b);
      this.#set(agentId, all);
    }
  }

  remove(placed: Iterable<Placed>): void {
    for (const { agentId, slots } of placed) {
      const gone = new Set(slots);
      this.#set(
        agentId,
        this.slots(agentId).filter((slot) => !gone.has(slot)),
      );
    }
  }

  /** Agents with free slots, those with the most first. */
  *largestFirst(): Generator<string> {
    for (let count = this.#byCount.length - 1; count > 0; count--) {
      yield* this.#byCount[count] ?? [];
    }
  }

  /** Agents with at least so many free slots, those with the fewest first. */
  *smallestFrom(least: number): Generator<string> {
    for (let count = Math.max(1, least); count < this.#byCount.length; count++) {
      yield* this.#byCount[count] ?? [];
    }
  }

  /** Free slots if every agent gives a multiple of `unit`. */
  totalOf(unit: number): number {
    if (unit === 1) return this.#total;
    return this.#byCount.reduce(
      (sum, agents, count) => sum + agents.size * (count - (count % unit)),
      0,
    );
  }

  #set(agentId: string, slots: readonly number[]): void {
    const before = this.slots(agentId).length;
    this.#total += slots.length - before;
    this.#byCount[before]?.delete(agentId);
    this.#free.set(agentId, slots);
    while (this.#byCount.length <= slots.length) this.#byCount.push(new Set());
    this.#byCount[slots.length]?.add(agentId);
  }
}
