import type { PlacedRun } from "./scheduling.ts";
import {
  add,
  type Candidate,
  type Given,
  giftOf,
  helps,
  isEnough,
  type Shortage,
} from "./shortage.ts";
import { compareText, type Kind, numSlotsOf, type Supply } from "./supply.ts";

/** Candidates below a priority, and what they would give back all together. */
type Below = {
  priority: number;
  candidates: Set<Candidate>;
  slots: Map<Kind | undefined, number>;
  owners: Map<string, number>;
  all: number;
};

/** The runs that may be preempted, the cheapest first: lowest priority, then youngest. */
export class Victims {
  readonly #candidates: Set<Candidate>;
  /** Of the priority asked for last: runs ask in the order of theirs. */
  #below: Below | undefined;

  constructor(placed: readonly PlacedRun[], supply: Supply) {
    const runs = placed
      .filter(({ isLeaving }) => !isLeaving)
      .sort(
        (a, b) =>
          a.priority - b.priority || b.startedAtMs - a.startedAtMs || compareText(a.runId, b.runId),
      );
    this.#candidates = new Set(
      runs.map((run) => ({
        run,
        kind: supply.kindOf(run.placed),
        numUsable: supply.numUsable(run.placed),
        size: numSlotsOf(run.placed),
      })),
    );
  }

  isAnyBelow(priority: number): boolean {
    return this.#lower(priority).candidates.size > 0;
  }

  /**
   * The cheapest runs below `priority` that make up for a shortage, none of them needlessly;
   * undefined if all of them would not.
   */
  cheapest(priority: number, shortage: Shortage): Candidate[] | undefined {
    const { candidates, slots, owners, all } = this.#lower(priority);
    const most: Given = {
      slots: slots.get(shortage.kind) ?? 0,
      ofOwner: owners.get(shortage.owner) ?? 0,
      ofAll: all,
    };
    if (!isEnough(shortage, most)) return undefined;
    const chosen: Candidate[] = [];
    const given: Given = { slots: 0, ofOwner: 0, ofAll: 0 };
    for (const candidate of candidates) {
      if (isEnough(shortage, given)) break;
      if (!helps(candidate, shortage, given)) continue;
      chosen.push(candidate);
      add(given, giftOf(candidate, shortage), 1);
    }
    return chosen
      .reverse()
      .filter((candidate) => {
        // The dearest first: whether the others would do.
        const gift = giftOf(candidate, shortage);
        add(given, gift, -1);
        if (isEnough(shortage, given)) return false;
        add(given, gift, 1);
        return true;
      })
      .reverse();
  }

  /** They give their slots back now, and can do so for nobody else. */
  remove(victims: readonly Candidate[]): void {
    for (const victim of victims) {
      this.#candidates.delete(victim);
      if (this.#below?.candidates.delete(victim)) count(this.#below, victim, -1);
    }
  }

  #lower(priority: number): Below {
    if (this.#below?.priority === priority) return this.#below;
    const below: Below = {
      priority,
      candidates: new Set(),
      slots: new Map(),
      owners: new Map(),
      all: 0,
    };
    for (const candidate of this.#candidates) {
      if (candidate.run.priority >= priority) break;
      below.candidates.add(candidate);
      count(below, candidate, 1);
    }
    this.#below = below;
    return below;
  }
}

function count(below: Below, { run, kind, numUsable, size }: Candidate, sign: 1 | -1): void {
  const { slots, owners } = below;
  slots.set(kind, (slots.get(kind) ?? 0) + sign * numUsable);
  owners.set(run.owner, (owners.get(run.owner) ?? 0) + sign * size);
  below.all += sign * size;
}
