import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cell, type Context, WELL_AFTER_STEPS } from "../cell.ts";
import { AGENT_IDS, type CoordinatorName } from "../cluster.ts";
import { steadily } from "../pace.ts";
import { until } from "../patience.ts";

const NO_RESTART = { restarts: 0, counted: 0 } as const;
const LEADS = "leads under epoch";

/** How often a coordinator has begun to lead. */
function numReigns({ cluster }: Context, name: CoordinatorName): number {
  return cluster.log(name).split(LEADS).length - 1;
}

function leads(context: Context, name: CoordinatorName, before: number): Promise<boolean> {
  return until(`coordinator ${name} leads`, () => numReigns(context, name) > before);
}

const killed: Cell = {
  ...{ name: "coordinator-sigkill", kind: "strict", ...NO_RESTART },
  strike: async (context) => {
    const { cluster } = context;
    const [name = "a"] = cluster.running;
    const before = numReigns(context, name);
    await cluster.coordinator(name).end("SIGKILL");
    cluster.startCoordinator(name);
    await leads(context, name, before);
    await cluster.connected(AGENT_IDS.length);
  },
};

const stopped: Cell = {
  ...{ name: "coordinator-sigstop-60", kind: "free", ...NO_RESTART },
  strike: (context) =>
    steadily(context, async () => {
      const { cluster } = context;
      const [name = "a"] = cluster.running;
      cluster.coordinator(name).signal("SIGSTOP");
      await sleep(60_000);
      cluster.coordinator(name).signal("SIGCONT");
      await cluster.connected(AGENT_IDS.length);
    }),
};

/** A second one on the same store; the first is asked to end. */
const upgraded: Cell = {
  ...{ name: "coordinator-upgrade", kind: "strict", ...NO_RESTART },
  strike: async (context) => {
    const { cluster } = context;
    const [old = "a"] = cluster.running;
    const next = other(old);
    const before = cluster.coordinators.has(next) ? numReigns(context, next) : 0;
    cluster.startCoordinator(next);
    await sleep(3000);
    assert.equal(numReigns(context, next), before, "it took over from one that leads");
    await cluster.coordinator(old).end("SIGTERM");
    await leads(context, next, before);
    await cluster.connected(AGENT_IDS.length);
  },
};

/** A leader that was stopped wakes up behind the back of its successor. */
const oldLeader: Cell = {
  ...{ name: "old-leader-wakes", kind: "free", ...NO_RESTART },
  strike: async (context) => {
    const { cluster, run } = context;
    const [old = "a"] = cluster.running;
    const next = other(old);
    const before = cluster.coordinators.has(next) ? numReigns(context, next) : 0;
    cluster.startCoordinator(next);
    await sleep(2000);
    cluster.coordinator(old).signal("SIGSTOP");
    await leads(context, next, before);
    await run.advance(WELL_AFTER_STEPS);
    cluster.coordinator(old).signal("SIGCONT");
    await until("the old leader's word that it leads no more", () =>
      cluster.log(old).includes("leads no more"),
    );
    await run.advance(WELL_AFTER_STEPS);
    await cluster.coordinator(old).end("SIGTERM");
    await cluster.connected(AGENT_IDS.length);
  },
};

/** Whoever leads is killed, again and again, at random moments. */
function leaderKills(name: string, numKills: number): Cell {
  return {
    ...{ name, kind: "free", ...NO_RESTART },
    strike: async (context) => {
      const { cluster, run, random } = context;
      let [leader = "a"] = cluster.running;
      cluster.startCoordinator(other(leader));
      for (let kill = 0; kill < numKills; kill += 1) {
        await sleep(random.whole(0, 2000));
        const next = other(leader);
        const before = numReigns(context, next);
        await cluster.coordinator(leader).end("SIGKILL");
        await leads(context, next, before);
        cluster.startCoordinator(leader);
        await cluster.connected(AGENT_IDS.length);
        await run.advance(1);
        leader = next;
      }
      await cluster.coordinator(other(leader)).end("SIGTERM");
    },
  };
}

/** Wall clocks of the coordinator and of an agent move an hour ahead, and back. */
const clock: Cell = {
  ...{ name: "clock-moved", kind: "strict", ...NO_RESTART },
  strike: async ({ cluster, run, random }) => {
    const [name = "a"] = cluster.running;
    const moved = [cluster.coordinator(name), cluster.agent(random.pick(AGENT_IDS))];
    for (const daemon of [...moved, ...moved]) {
      daemon.signal("SIGUSR2");
      await run.advance(WELL_AFTER_STEPS);
      await sleep(2000);
    }
  },
};

function other(name: CoordinatorName): CoordinatorName {
  return name === "a" ? "b" : "a";
}

export const coordinatorCells: readonly Cell[] = [
  killed,
  stopped,
  upgraded,
  oldLeader,
  leaderKills("leader-kills", 3),
  leaderKills("leader-kills-50", 50),
  clock,
];
