import { retryMs } from "../../coordinator/retry.ts";
import { namedLeader } from "../../coordinator/rpc/not-leading.ts";

const FIRST_DELAY_MS = 100;
/** While another coordinator may be about to take over. */
const SOON_MS = 1000;
const NUM_SOON = 12;
/** Thousands of agents must not keep those that are there from their work. */
const LAST_DELAY_MS = 4000;

/**
 * Where to connect next: to the leader that the last coordinator named, or to the next
 * of those this agent was given. Pure.
 */
export function nextAddress(given: readonly string[], last: string, why: string): string {
  const leader = namedLeader(why);
  if (leader !== undefined && leader !== last) return leader;
  // One that is not among them was a leader by hearsay: back to the first.
  return given[(given.indexOf(last) + 1) % given.length] ?? last;
}

/** How long to wait before the attempt after `numFailed` in a row; `random` is in [0, 1). */
export function backOffMs(numFailed: number, random: number): number {
  const mostMs = numFailed <= NUM_SOON ? SOON_MS : LAST_DELAY_MS;
  return retryMs(numFailed, { firstMs: FIRST_DELAY_MS, mostMs, random: () => random });
}
