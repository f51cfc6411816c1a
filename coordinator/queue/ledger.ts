import { KeptSlots } from "./kept-slots.ts";
import { QuotaUse } from "./quota.ts";
import type { Action, SchedulingState, WaitingRun } from "./scheduling.ts";
import { type Kind, Supply } from "./supply.ts";
import { Victims } from "./victims.ts";

/** One pass over the queue: what is left to give, and what was decided so far. */
export class Ledger {
  readonly actions: Action[] = [];
  readonly supply: Supply;
  readonly quota: QuotaUse;
  readonly victims: Victims;
  readonly kept: KeptSlots;
  /** The first run that waits for slots which it may have. */
  head: WaitingRun | undefined;
  /** The first run that slots of a kind are promised to. */
  readonly promisedTo = new Map<Kind, WaitingRun>();

  constructor({ placed, agents, quotas }: SchedulingState, byTurn: readonly WaitingRun[]) {
    this.supply = new Supply(agents, placed);
    this.quota = new QuotaUse(quotas, placed);
    this.victims = new Victims(placed, this.supply);
    this.kept = new KeptSlots(byTurn, this.supply);
  }

  /** Runs with later turns get nothing that this one needs. */
  promise(run: WaitingRun, kind: Kind, size: number): void {
    this.head ??= run;
    if (!this.promisedTo.has(kind)) this.promisedTo.set(kind, run);
    kind.promised += size;
    this.quota.take(run.owner, size);
  }

  say({ runId }: WaitingRun, reason: string): undefined {
    this.actions.push({ kind: "wait", runId, reason });
  }
}
