import { MoestroError } from "../errors.ts";
import type { LegalSizes } from "../run/legal-sizes.ts";
import { numSlots } from "../run/slot-source.ts";
import type { Supervisor } from "../run/supervisor.ts";
import type { Placed, StoredRun } from "../store/store.ts";

/** A run that has slots, or is owed them. */
export type SupervisedRun = {
  stored: StoredRun;
  supervisor: Supervisor;
  sizes: LegalSizes;
  /** Slots that are its own: where its ranks run, are being started or are moving to. */
  placed: readonly Placed[];
  startedAtMs: number;
  /** It gives its slots back. */
  isLeaving: boolean;
  /** The number of checkpoints asked for that has been seen to. */
  checkpoints: number;
  savedStatusAtMs: number;
  /** Set while it waits for slots after a failure. */
  recovering: { sinceMs: number; resolve(placed: readonly Placed[]): void } | undefined;
};

/** Whether the run has more or fewer ranks than is wished now. */
export function isOutside({ placed }: SupervisedRun, wish: StoredRun["wish"]): boolean {
  const has = numSlots(placed);
  return has > 0 && (has < wish.minRanks || has > wish.maxRanks);
}

export function planOf(sizes: LegalSizes, ranks: number) {
  const plan = sizes.plan(ranks);
  if (plan) return plan;
  throw new MoestroError("no_plan", `no legal layout has ${ranks} ranks`);
}
