import type { Placed } from "../store/store.ts";
import { compareNames } from "./compare-names.ts";
import type { PlacedRun, SchedulableAgent } from "./scheduling.ts";
import { SlotPool } from "./slot-pool.ts";

/** The slots of one kind of accelerator, on the agents that take new ranks. */
export class Kind {
  /** Its name; empty for processor slots. */
  readonly accelerator: string;
  readonly pool = new SlotPool();
  /** All slots, those in use too. */
  capacity = 0;
  /** Slots in use that their runs give back. */
  incoming = 0;
  /** Slots that runs further ahead wait for, free or not yet. */
  promised = 0;

  constructor(accelerator: string) {
    this.accelerator = accelerator;
  }

  /** Slots that a run may have now: promises are kept with what comes in first. */
  get available(): number {
    return this.pool.total - Math.max(0, this.promised - this.incoming);
  }

  /** Slots that a run may have once all have left that are leaving. */
  get soon(): number {
    return this.pool.total + this.incoming - this.promised;
  }
}

/** What there is to give. A drained, silent or lost agent gets nothing new. */
export class Supply {
  /** Accelerators before processors, then by name. */
  readonly kinds: readonly Kind[];
  readonly #kindOf = new Map<string, Kind>();

  constructor(agents: readonly SchedulableAgent[], placed: readonly PlacedRun[]) {
    const usable = agents
      .filter(({ state, isDrained }) => state === "connected" && !isDrained)
      .sort((a, b) => compareNames(a.agentId, b.agentId));
    const kinds = new Map<string, Kind>();
    for (const { agentId, accelerator, numSlots } of usable) {
      const kind = kinds.get(accelerator) ?? new Kind(accelerator);
      kinds.set(accelerator, kind);
      this.#kindOf.set(agentId, kind);
      kind.capacity += numSlots;
      const slots = Array.from({ length: numSlots }, (_, slot) => slot);
      kind.pool.add([{ agentId, slots }]);
    }
    this.kinds = [...kinds.values()].sort(
      (a, b) =>
        Number(a.accelerator === "") - Number(b.accelerator === "") ||
        compareText(a.accelerator, b.accelerator),
    );
    for (const run of placed) {
      for (const one of run.placed) this.#kindOf.get(one.agentId)?.pool.remove([one]);
      if (run.isLeaving) this.expect(run);
    }
  }

  /** The kind that a run is on; none if its agents take no ranks. */
  kindOf(placed: readonly Placed[]): Kind | undefined {
    for (const { agentId } of placed) {
      const kind = this.#kindOf.get(agentId);
      if (kind) return kind;
    }
    return undefined;
  }

  /** Whether all agents of a run take ranks. */
  isWhole(placed: readonly Placed[]): boolean {
    return placed.every(({ agentId }) => this.#kindOf.has(agentId));
  }

  /** Slots that others may have once a run is gone. */
  numUsable(placed: readonly Placed[]): number {
    return placed.reduce(
      (sum, { agentId, slots }) => sum + (this.#kindOf.has(agentId) ? slots.length : 0),
      0,
    );
  }

  /** A run gives its slots back. */
  expect({ placed }: PlacedRun): void {
    const kind = this.kindOf(placed);
    if (kind) kind.incoming += this.numUsable(placed);
  }
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

export function numSlotsOf(placed: readonly Placed[]): number {
  return placed.reduce((sum, { slots }) => sum + slots.length, 0);
}
