import { setTimeout as sleep } from "node:timers/promises";
import { type Cell, recovered } from "../cell.ts";
import { AGENT_IDS } from "../cluster.ts";

/** The network of nodes is cut for a while: their agents live, and nobody reaches them. */
function cutOff(name: string, numNodes: number, forMs: number): Cell {
  return {
    ...{ name, kind: "free", restarts: 1, counted: 0, needsNetworks: true },
    strike: async ({ cluster, run, random }) => {
      const first = random.whole(0, AGENT_IDS.length - 1);
      const ids = AGENT_IDS.map((_, index) => AGENT_IDS[(first + index) % AGENT_IDS.length] ?? "");
      const nodes = ids.slice(0, numNodes);
      const after = run.events.length;
      const mended = sleep(forMs);
      for (const id of nodes) cluster.networks?.cut(id);
      await run.event("run.recovering", after);
      await mended;
      for (const id of nodes) cluster.networks?.mend(id);
      await recovered(run, after, /^agent n\d is lost: .* cannot reach it either/);
    },
  };
}

/** Too short to mean anything: the ranks' own connections survive it. */
const blink: Cell = {
  ...{ name: "node-blinks", kind: "free", restarts: 0, counted: 0, needsNetworks: true },
  strike: async ({ cluster, random }) => {
    const id = random.pick(AGENT_IDS);
    cluster.networks?.cut(id);
    await sleep(1000);
    cluster.networks?.mend(id);
    await cluster.connected(AGENT_IDS.length);
  },
};

export const nodeCells: readonly Cell[] = [
  cutOff("node-lost", 1, 30_000),
  cutOff("two-nodes-lost", 2, 15_000),
  blink,
];
