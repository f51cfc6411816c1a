import type { Placed } from "../store/store.ts";
import type { WaitingRun } from "./scheduling.ts";
import { type Kind, numSlotsOf, type Supply } from "./supply.ts";

export type Kept = { runId: string; kind: Kind; placed: Placed[] };

/**
 * The slots where recovering runs were and could be again, kept out of the pools until
 * each one's turn, so that nothing else starts there. A run whose turn is sooner may still
 * have them, of the runs with the latest turns first.
 */
export class KeptSlots {
  /** By turn. */
  readonly #later: Kept[] = [];
  readonly #numLater = new Map<Kind, number>();

  constructor(byTurn: readonly WaitingRun[], supply: Supply) {
    for (const { runId, isRecovering, previous } of byTurn) {
      const kind = isRecovering ? supply.kindOf(previous) : undefined;
      if (!kind) continue;
      const placed = previous.map(({ agentId, slots }) => {
        const free = kind.pool.slots(agentId);
        return { agentId, slots: slots.filter((slot) => free.includes(slot)) };
      });
      kind.pool.remove(placed);
      this.#later.push({ runId, kind, placed });
      this.#count(kind, numSlotsOf(placed));
    }
    this.#later.reverse();
  }

  /** It is the run's turn: puts what was kept for it into its pool. */
  take(runId: string): Kept | undefined {
    if (this.#later.at(-1)?.runId !== runId) return undefined;
    const kept = this.#later.pop();
    if (kept) this.#giveBack(kept);
    return kept;
  }

  /** Whether slots are kept for runs whose turn is still to come. */
  get isAnyLater(): boolean {
    return this.#later.length > 0;
  }

  /** Slots of one kind that are. */
  numLater(kind: Kind): number {
    return this.#numLater.get(kind) ?? 0;
  }

  /** Gives up what is kept for later turns, until so many slots are available. */
  release(kind: Kind, size: number): void {
    for (const one of this.#later) {
      if (kind.available >= size) return;
      if (one.kind !== kind) continue;
      this.#giveBack(one);
      one.placed = [];
    }
  }

  /**
   * Its turn has passed and the run waits: keeps its slots for good. They are part of what
   * it is promised of their kind, if it is.
   */
  hold({ kind, placed }: Kept, promised: Kind | undefined): void {
    kind.pool.remove(placed);
    if (kind === promised) kind.promised -= numSlotsOf(placed);
  }

  #giveBack({ kind, placed }: Kept): void {
    kind.pool.add(placed);
    this.#count(kind, -numSlotsOf(placed));
  }

  #count(kind: Kind, change: number): void {
    this.#numLater.set(kind, this.numLater(kind) + change);
  }
}
