import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "./cell.ts";

const BASE_MS = 10_000;

/**
 * Notes how many steps a second the ranks made during the outage beside those before it,
 * by the clocks of the ranks: their reports come when there is somebody to take them.
 */
export async function steadily({ run, note }: Context, outage: () => Promise<void>): Promise<void> {
  const start = run.metrics.length;
  await sleep(BASE_MS);
  const before = run.metrics.length;
  await outage();
  await run.advance(1);
  const rate = (from: number, to: number) => {
    const times = run.metrics.slice(from, to).map(({ stepMs }) => stepMs);
    return (1000 * times.length) / times.reduce((sum, ms) => sum + ms, 0);
  };
  const during = rate(before, run.metrics.length);
  note(`${rate(start, before).toFixed(2)} steps/s before, ${during.toFixed(2)} during`);
}
