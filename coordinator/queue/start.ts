import type { LegalSize } from "../run/legal-sizes.ts";
import type { Ledger } from "./ledger.ts";
import { place } from "./place.ts";
import type { WaitingRun } from "./scheduling.ts";
import type { Kind } from "./supply.ts";
import { numberOf } from "./wording.ts";

/**
 * Starts a run on the first of `kinds` that has room for the best size that fits at all,
 * or does nothing. Slots that are kept for runs with a later turn are the last resort.
 */
export function start(ledger: Ledger, run: WaitingRun, kinds: readonly Kind[]): boolean {
  const { quota, kept } = ledger;
  const room = quota.room(run.owner);
  for (const size of run.sizes) {
    if (size.numRanks > room) continue;
    const kind = kinds.find(({ available }) => available >= size.numRanks);
    if (kind) return startOn(ledger, run, size, kind);
  }
  if (!kept.isAnyLater) return false;
  for (const size of run.sizes) {
    if (size.numRanks > room) continue;
    const kind = kinds.find((one) => one.available + kept.numLater(one) >= size.numRanks);
    if (!kind) continue;
    kept.release(kind, size.numRanks);
    return startOn(ledger, run, size, kind);
  }
  return false;
}

function startOn(ledger: Ledger, run: WaitingRun, size: LegalSize, kind: Kind): boolean {
  const { runId, owner, previous } = run;
  const placed = place(size, kind.pool, previous);
  if (!placed) return false;
  kind.pool.remove(placed);
  ledger.quota.take(owner, size.numRanks);
  const slots = `${numberOf(size.numRanks, "slot")} on ${numberOf(placed.length, "agent")}`;
  const type = kind.accelerator === "" ? "" : ` with ${kind.accelerator}`;
  const { head } = ledger;
  const ahead = head ? `, which run ${head.runId} ahead of it cannot use yet` : "";
  const reason = `${slots}${type} are free${ahead}`;
  ledger.actions.push({ kind: "start", runId, size: size.numRanks, placed, reason });
  return true;
}
