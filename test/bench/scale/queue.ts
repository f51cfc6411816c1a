import type { Client } from "@grpc/grpc-js";
import { submission, submit } from "./calls.ts";
import type { CoordinatorProcess } from "./coordinator.ts";
import { percentile } from "./figures.ts";
import { HealthWatch } from "./health-watch.ts";
import { jobText } from "./job.ts";

/** People who submit at once, each over a connection with calls side by side. */
const NUM_CLIENTS = 8;
const CALLS_AT_ONCE = 8;
/** With a full queue and nothing new: passes by themselves, and when something changes. */
const FULL_MS = 5000;

/** Queues runs behind one that has all slots; returns lines for people. */
export async function measureQueue(
  coordinator: CoordinatorProcess,
  watcher: Client,
  numRuns: number,
): Promise<Record<string, string>> {
  const names = Array.from({ length: NUM_CLIENTS }, (_, index) => `user:person-${index}`);
  const clients = await Promise.all(names.map((name) => coordinator.client(name, "submitter")));
  const request = await submission(jobText(8, 1), "");
  const filling = new HealthWatch(watcher);
  const began = performance.now();
  let numSubmitted = 0;
  const work = clients.flatMap((client) =>
    Array.from({ length: CALLS_AT_ONCE }, async () => {
      while (numSubmitted < numRuns) {
        numSubmitted += 1;
        await submit(client, { ...request, runId: `queued-${numSubmitted}` });
      }
    }),
  );
  await Promise.all(work);
  const seconds = (performance.now() - began) / 1000;
  const fillingMs = await filling.end();
  const cpu = coordinator.cpuSeconds();
  const full = new HealthWatch(watcher);
  await new Promise((resolve) => setTimeout(resolve, FULL_MS));
  const fullMs = await full.end();
  const cores = (coordinator.cpuSeconds() - cpu) / (FULL_MS / 1000);
  for (const client of clients) client.close();
  const { residentBytes } = coordinator.memory();
  return {
    [`${numRuns} runs queued`]: `${(numRuns / seconds).toFixed(0)} submitted a second over ${NUM_CLIENTS} connections`,
    "health check meanwhile, scheduling passes included": told(fillingMs),
    "health check with all queued": `${told(fullMs)}; ${cores.toFixed(2)} cores, ${(residentBytes / 1e6).toFixed(0)} MB`,
  };
}

function told(durationsMs: readonly number[]): string {
  const ms = (share: number) => `${percentile(durationsMs, share).toFixed(0)} ms`;
  return `p50 ${ms(0.5)}, p99 ${ms(0.99)}, longest ${ms(1)}`;
}
