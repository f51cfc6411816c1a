import { create } from "@bufbuild/protobuf";
import type { EventRecord } from "../../../coordinator/report/records.ts";
import { callLeader } from "../../../coordinator/rpc/call-leader.ts";
import { FleetService, ListAgentsRequestSchema } from "../../../proto/gen/moestro/v1/fleet_pb.js";
import { grpcMethods } from "../../../proto/grpc.ts";
import type { Workplace } from "../../e2e/moestro.ts";
import { AGENT_IDS, type Cluster, type CoordinatorName } from "../../faults/cluster.ts";
import { NodeNetworks } from "../../faults/node-networks.ts";
import { until } from "../../faults/patience.ts";
import type { Run } from "../../faults/run.ts";
import type { Bound } from "./bounds.ts";
import { closing } from "./clean-up.ts";
import { withTraining, writtenAtMs } from "./moestro-cluster.ts";
import { NUM_RANKS } from "./setting.ts";

/** Seconds that the issue allows. */
const NODE_LOST_S = 5;
const BEHIND_DEADLINE_S = 2;
const FAILOVER_S = 5;

/** The network of a node is cut: until its agent counts as lost. */
export async function nodeLoss(place: Workplace): Promise<Bound> {
  const networks = new NodeNetworks(AGENT_IDS);
  return closing(
    () => networks.close(),
    () =>
      withTraining(place, { networks }, async ({ cluster, run }) => {
        const { length } = run.events;
        const cutAtMs = Date.now();
        networks.cut(run.agentOf(NUM_RANKS - 1));
        const lost = await run.event("agent.lost", length);
        await cluster.heal();
        return {
          what: "a node whose network is cut, until its agent counts as lost",
          ...secondsOf(writtenAtMs(lost) - cutAtMs, NODE_LOST_S),
        };
      }),
  );
}

/** A rank is stopped: from the last step until that is noticed, which is before all stacks are taken. */
export function hang(place: Workplace): Promise<Bound> {
  return withTraining(place, {}, async ({ run }) => {
    const { length } = run.events;
    process.kill(run.pid(NUM_RANKS - 1), "SIGSTOP");
    const hanging = await run.event("run.hanging", length);
    const lastStepAtMs = writtenAtMs(run.metrics.at(-1));
    const failing = await run.event("run.failing", length);
    const deadline = Number(/no step for (\d+) s/.exec(hanging.message)?.[1]);
    const since = (event: EventRecord) => writtenAtMs(event) - lastStepAtMs;
    const ended = `${(since(failing) / 1000).toFixed(2)} s with all stacks taken`;
    return {
      what: `a rank that is stopped, from the last step: its deadline is ${deadline} s, and it is given up after ${ended}; noticed`,
      ...secondsOf(since(hanging), deadline + BEHIND_DEADLINE_S),
    };
  });
}

/** The coordinator that leads is killed: until the other one has all ranks of the run. */
export function failover(place: Workplace): Promise<Bound> {
  return withTraining(place, {}, async ({ cluster, run }) => {
    cluster.startCoordinator("b");
    await answers(cluster, "b");
    const { length } = run.events;
    const killedAtMs = Date.now();
    await cluster.coordinator("a").end("SIGKILL");
    const adopted = await until("adoption of all ranks", () => lastAdopted(run, length));
    const { generation } = await run.status();
    if (generation !== 1n) throw new Error("the ranks were started again");
    return {
      what: "the leading coordinator killed, until the other one has all agents and their ranks",
      ...secondsOf(writtenAtMs(adopted) - killedAtMs, FAILOVER_S),
    };
  });
}

function secondsOf(ms: number, limit: number): Omit<Bound, "what"> {
  return { value: ms / 1000, limit, unit: " s" };
}

function lastAdopted(run: Run, after: number): EventRecord | undefined {
  return run.events.slice(after).filter(({ event }) => event === "rank.adopted")[NUM_RANKS - 1];
}

/** Waits until a coordinator is there, leading or not. */
async function answers(cluster: Cluster, name: CoordinatorName): Promise<void> {
  const coordinators = { addresses: [cluster.address(name)], material: await cluster.material() };
  const { listAgents } = grpcMethods(FleetService);
  const request = create(ListAgentsRequestSchema);
  await until(`coordinator ${name}`, () =>
    callLeader(coordinators, listAgents, request).then(
      () => true,
      () => false,
    ),
  );
}
