import { setTimeout as sleep } from "node:timers/promises";

/** Far above what anything here takes; a test that hits it has found a hang. */
export const PATIENCE_MS = 120_000;
const POLL_MS = 50;

/** What `find` finds, as soon as it does; `what` says what never came. */
export async function until<Found>(
  what: string,
  find: () => Found | undefined | false | Promise<Found | undefined | false>,
  patienceMs = PATIENCE_MS,
): Promise<Found> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await find();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`${what}: waited ${patienceMs / 1000} s`);
    await sleep(POLL_MS);
  }
}
