import { namedLeader } from "../../coordinator/rpc/not-leading.ts";

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 2000;

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
  const middle = Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.max(0, numFailed - 1));
  return middle * (0.5 + random / 2);
}
