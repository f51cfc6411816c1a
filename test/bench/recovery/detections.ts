import type { EventRecord } from "../../../coordinator/report/records.ts";
import type { Workplace } from "../../e2e/moestro.ts";
import { AGENT_IDS } from "../../faults/cluster.ts";
import { NodeNetworks } from "../../faults/node-networks.ts";
import { until } from "../../faults/patience.ts";
import { type Training, withTraining, writtenAtMs } from "./moestro-cluster.ts";
import { NUM_RANKS } from "./setting.ts";

/** Milliseconds that something took, and those it may take. */
export type Detection = { what: string; ms: number; allowedMs: number };

const NODE_LOST_MS = 5000;
const BEHIND_DEADLINE_MS = 2000;
const FAILOVER_MS = 5000;

/** The network of a node is cut: until the run is given up for it. Undefined where there can be none. */
export async function nodeLoss(place: Workplace): Promise<Detection> {
  const networks = new NodeNetworks(AGENT_IDS);
  try {
    return await withTraining(place, { networks }, async ({ cluster, run }) => {
      const { length } = run.events;
      const cutAtMs = Date.now();
      networks.cut(run.agentOf(NUM_RANKS - 1));
      const lost = await run.event("agent.lost", length);
      await cluster.heal();
      return {
        what: "a node whose network is cut, until its agent counts as lost",
        ms: writtenAtMs(lost) - cutAtMs,
        allowedMs: NODE_LOST_MS,
      };
    });
  } finally {
    networks.close();
  }
}

/** A rank is stopped: from the last step until the run is given up. */
export function hang(place: Workplace): Promise<Detection> {
  return withTraining(place, {}, async ({ run }) => {
    const { length } = run.events;
    process.kill(run.pid(NUM_RANKS - 1), "SIGSTOP");
    const hanging = await run.event("run.hanging", length);
    const failing = await run.event("run.failing", length);
    const deadlineMs = 1000 * Number(/no step for (\d+) s/.exec(hanging.message)?.[1]);
    return {
      what: `a rank that is stopped, from the last step until it is given up: its deadline is ${deadlineMs / 1000} s`,
      ms: writtenAtMs(failing) - writtenAtMs(run.metrics.at(-1)),
      allowedMs: deadlineMs + BEHIND_DEADLINE_MS,
    };
  });
}

/** The coordinator that leads is killed: until the other one has all ranks of the run. */
export function failover(place: Workplace): Promise<Detection> {
  return withTraining(place, {}, async ({ cluster, run }) => {
    const other = cluster.startCoordinator("b");
    await until("the second coordinator", () => cluster.isAnswering("b"));
    const { length } = run.events;
    const killedAtMs = Date.now();
    await cluster.coordinator("a").end("SIGKILL");
    const adopted = await until("adoption of all ranks", () => lastAdopted({ run }, length));
    const { generation } = await run.status();
    if (generation !== 1) throw new Error(`its ranks were started again (${other.log})`);
    return {
      what: "the leading coordinator killed, until the other one has all agents and their ranks",
      ms: writtenAtMs(adopted) - killedAtMs,
      allowedMs: FAILOVER_MS,
    };
  });
}

function lastAdopted({ run }: Pick<Training, "run">, after: number): EventRecord | undefined {
  return run.events.slice(after).filter(({ event }) => event === "rank.adopted")[NUM_RANKS - 1];
}
