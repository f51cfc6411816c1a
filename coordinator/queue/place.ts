import type { LegalSize } from "../run/legal-sizes.ts";
import type { Placed } from "../store/store.ts";
import { compareNames } from "./compare-names.ts";
import type { SlotPool } from "./slot-pool.ts";

/**
 * The slots for a run's ranks, in the order that ranks fill them, or none if the pool
 * has too few. Takes nothing. Where it can be, a run stays where it was, on the first of its
 * agents by name; it gets the fewest agents, of those the ones with the least left over, and
 * no tensor-parallel group that spans two.
 */
export function place(
  size: LegalSize,
  pool: SlotPool,
  previous: readonly Placed[] = [],
): Placed[] | undefined {
  const { numRanks, tensorParallel } = size;
  if (pool.total < numRanks) return undefined;
  const isWhole = numRanks % tensorParallel === 0 && pool.totalOf(tensorParallel) >= numRanks;
  return choose(numRanks, isWhole ? tensorParallel : 1, pool, previous);
}

/** Every agent's share is a multiple of `unit`; the pool has enough of such. */
function choose(
  numRanks: number,
  unit: number,
  pool: SlotPool,
  previous: readonly Placed[],
): Placed[] {
  const shares = new Map<string, number>();
  let missing = numRanks;
  const raise = (agentId: string, most: number) => {
    const share = shares.get(agentId) ?? 0;
    const more = Math.min(missing, most - (most % unit) - share);
    if (more <= 0) return;
    shares.set(agentId, share + more);
    missing -= more;
  };
  const free = (agentId: string) => pool.slots(agentId).length;
  const own = previous
    .map(({ agentId, slots }) => ({ agentId, numFree: numShared(slots, pool.slots(agentId)) }))
    .sort((a, b) => b.numFree - a.numFree || compareNames(a.agentId, b.agentId));
  for (const { agentId, numFree } of own) raise(agentId, numFree);
  for (const { agentId } of own) raise(agentId, free(agentId));
  for (const largest of pool.largestFirst()) {
    if (missing === 0) break;
    const [best] = pool.smallestFrom(missing).filter((agentId) => !shares.has(agentId));
    raise(best ?? largest, free(best ?? largest));
  }
  const had = new Map(previous.map(({ agentId, slots }) => [agentId, slots]));
  const placed = [...shares].map(([agentId, share]): Placed => {
    return { agentId, slots: pick(pool.slots(agentId), share, had.get(agentId) ?? []) };
  });
  return inOrder(placed, previous);
}

function numShared(a: readonly number[], b: readonly number[]): number {
  return a.filter((slot) => b.includes(slot)).length;
}

/** The slots of one agent: those that were the run's first. */
function pick(free: readonly number[], count: number, own: readonly number[]): number[] {
  const mine = own.filter((slot) => free.includes(slot));
  const others = free.filter((slot) => !own.includes(slot));
  return [...mine, ...others].slice(0, count).sort((a, b) => a - b);
}

/** Ranks stay on their agents, and a new agent takes the place of one that is gone. */
function inOrder(placed: readonly Placed[], previous: readonly Placed[]): Placed[] {
  const now = new Map(placed.map((one) => [one.agentId, one]));
  const had = new Set(previous.map(({ agentId }) => agentId));
  const fresh = placed.filter(({ agentId }) => !had.has(agentId));
  const ordered = previous.flatMap(({ agentId, slots }) => {
    const same = now.get(agentId);
    if (same) return [same];
    const alike = fresh.findIndex((one) => one.slots.length === slots.length);
    return alike === -1 ? [] : fresh.splice(alike, 1);
  });
  return [...ordered, ...fresh];
}
