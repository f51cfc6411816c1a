import { grow } from "./grow.ts";
import { Ledger } from "./ledger.ts";
import type { Action, SchedulingOptions, SchedulingState, WaitingRun } from "./scheduling.ts";
import { start } from "./start.ts";
import { compareText } from "./supply.ts";
import { wait } from "./wait.ts";

export const SCHEDULING_OPTIONS: SchedulingOptions = { starvationMs: 600_000 };

/**
 * What to do about the runs that wait: one action for each, and those that make room. Pure.
 *
 * 1. Runs have their turn by priority; of one priority recovering ones are first, then by
 *    submission. A run starts whole or not at all, at the best size that fits and that its
 *    owner's quota allows.
 * 2. One that cannot start has runs of strictly lower priority preempted, if that lets it
 *    start at its smallest size: the lowest priorities first, then the youngest, never more
 *    than needed. What it is then promised is kept for it.
 * 3. Others may start in what it cannot use, until it has waited `starvationMs`; from then on
 *    free slots are kept for it. For a recovering run they are at once, and so are the slots
 *    where it was, up to `starvationMs` even if the agents left could not hold it.
 * 4. When nobody waits for slots, elastic runs are offered more.
 */
export function schedule(
  now: number,
  state: SchedulingState,
  options: SchedulingOptions = SCHEDULING_OPTIONS,
): Action[] {
  const byTurn = state.waiting.toSorted(compareTurns);
  const ledger = new Ledger(state, byTurn);
  const { supply, kept } = ledger;
  for (const run of byTurn) {
    const own = kept.take(run.runId);
    if (start(ledger, run, own ? [own.kind, ...supply.kinds] : supply.kinds)) continue;
    const isYoung = now - run.queuedSinceMs <= options.starvationMs;
    const promised = wait(ledger, run, isYoung && !run.isRecovering);
    if (own && (isYoung || promised === own.kind)) kept.hold(own, promised);
  }
  if (!ledger.head) grow(ledger, state.placed);
  return ledger.actions;
}

function compareTurns(a: WaitingRun, b: WaitingRun): number {
  return (
    b.priority - a.priority ||
    Number(b.isRecovering) - Number(a.isRecovering) ||
    a.submittedAtMs - b.submittedAtMs ||
    compareText(a.runId, b.runId)
  );
}
