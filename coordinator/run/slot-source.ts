import type { Placed } from "../store/store.ts";

/** Where a run whose ranks have ended gets slots for the next ones. */
export type SlotSource = {
  /**
   * The best that is free to the run: its own slots where their agents live, spare ones,
   * or fewer. Waits until there are enough for a legal size; rejects when `signal` aborts.
   */
  next(runId: string, signal: AbortSignal): Promise<readonly Placed[]>;
};

export function numSlots(placed: readonly Placed[]): number {
  return placed.reduce((sum, { slots }) => sum + slots.length, 0);
}
