import { readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cell, Context } from "../cell.ts";
import { AGENT_IDS, type Cluster } from "../cluster.ts";
import { steadily } from "../pace.ts";
import { until } from "../patience.ts";

const NO_RESTART = { restarts: 0, counted: 0 } as const;

function pidOf({ place }: Cluster): number {
  const text = readFileSync(place.path("home", "redis", "server.json"), "utf8");
  return Number((JSON.parse(text) as { pid: number }).pid);
}

/** Kills the server and does `then` before its coordinator can start it again. */
async function kill({ cluster }: Context, then: () => void): Promise<void> {
  const pid = pidOf(cluster);
  process.kill(pid, "SIGKILL");
  then();
  await until("redis-server runs again", () => pidOf(cluster) !== pid);
  await cluster.connected(AGENT_IDS.length);
}

const killed: Cell = {
  ...{ name: "redis-sigkill", kind: "strict", ...NO_RESTART },
  strike: (context) => kill(context, () => {}),
};

const stopped: Cell = {
  ...{ name: "redis-sigstop-60", kind: "free", ...NO_RESTART },
  strike: (context) =>
    steadily(context, async () => {
      const pid = pidOf(context.cluster);
      process.kill(pid, "SIGSTOP");
      await sleep(60_000);
      process.kill(pid, "SIGCONT");
      await context.cluster.connected(AGENT_IDS.length);
    }),
};

/** The leader puts back what it knows, and the next one finds it. */
const empty: Cell = {
  ...{ name: "redis-empty", kind: "strict", ...NO_RESTART },
  strike: async (context) => {
    const { cluster, run } = context;
    const data = cluster.place.path("home", "redis", "appendonlydir");
    await kill(context, () => rmSync(data, { recursive: true }));
    await run.advance(10);
    const [name = "a"] = cluster.running;
    await cluster.coordinator(name).end("SIGKILL");
    cluster.startCoordinator(name);
    await cluster.connected(AGENT_IDS.length);
  },
};

export const redisCells: readonly Cell[] = [killed, stopped, empty];
