import type { Ledger } from "./ledger.ts";
import { place } from "./place.ts";
import type { PlacedRun } from "./scheduling.ts";
import { compareText, numSlotsOf } from "./supply.ts";
import { numberOf } from "./wording.ts";

/** Offers free slots to elastic runs below their best size, the foremost first. */
export function grow(ledger: Ledger, placed: readonly PlacedRun[]): void {
  const elastic = placed
    .filter((run) => !run.isLeaving && run.sizes.length > 0 && ledger.supply.isWhole(run.placed))
    .sort(
      (a, b) =>
        b.priority - a.priority || a.startedAtMs - b.startedAtMs || compareText(a.runId, b.runId),
    );
  for (const run of elastic) growOne(ledger, run);
}

function growOne({ supply, quota, actions }: Ledger, run: PlacedRun): void {
  const { runId, owner } = run;
  const kind = supply.kindOf(run.placed);
  if (!kind) return;
  const now = numSlotsOf(run.placed);
  const most = now + Math.min(kind.available, quota.room(owner));
  const size = run.sizes.find(({ numRanks }) => numRanks <= most);
  if (!size || size.numRanks <= now) return;
  kind.pool.add(run.placed);
  const placed = place(size, kind.pool, run.placed);
  kind.pool.remove([...run.placed, ...(placed ?? [])]);
  if (!placed) return;
  quota.take(owner, size.numRanks - now);
  const reason = `no run waits for what is free, and ${numberOf(size.numRanks, "rank")} take shorter steps than ${now}`;
  actions.push({ kind: "grow", runId, size: size.numRanks, placed, reason });
}
