import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import {
  AgentState,
  type AgentStatus,
  AgentStatusSchema,
  FleetService,
  ListAgentsRequestSchema,
} from "../../proto/gen/moestro/v1/fleet_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { formatBytes } from "../report/format.ts";
import { callCoordinator, coordinatorOption } from "./context.ts";
import { plainMessage } from "./plain-message.ts";
import { printTable } from "./print.ts";
import { formatAge } from "./run-table.ts";

export const fleetMethods = grpcMethods(FleetService);

const HEADING = ["agent", "state", "host", "slots", "GPUs", "memory", "heard"];
const STATES: Record<AgentState, string> = {
  [AgentState.UNSPECIFIED]: "unknown",
  [AgentState.CONNECTED]: "connected",
  [AgentState.SILENT]: "silent",
  [AgentState.LOST]: "lost",
};

export function agentsCommand(): Command {
  return new Command("agents")
    .description("show the agents of a coordinator and what each has")
    .option("--json", "one JSON array", false)
    .addOption(coordinatorOption())
    .action(async ({ json, coordinator }: { json: boolean; coordinator?: string[] }) => {
      const request = create(ListAgentsRequestSchema);
      const { agents } = await callCoordinator(fleetMethods.listAgents, request, coordinator);
      if (json) {
        console.log(JSON.stringify(agents.map((agent) => plainMessage(AgentStatusSchema, agent))));
      } else if (agents.length > 0) {
        const [heading = [], ...rows] = agentTable(agents, Date.now());
        printTable(heading, rows);
      } else {
        console.log("there are no agents; start one on each node with: moestro agent");
      }
    });
}

/**
 * A heading and a row for each agent; `nowMs` is the time they are read at. What run an agent
 * is for is told where one is for a run alone.
 */
export function agentTable(agents: readonly AgentStatus[], nowMs: number): string[][] {
  const isAnyReserved = agents.some(({ runId }) => runId !== "");
  const reserved = (cell: string) => (isAnyReserved ? [cell] : []);
  return [
    [...HEADING, ...reserved("only for"), "runs", "why"],
    ...agents.map((agent) => [
      ...agentCells(agent, nowMs),
      ...reserved(agent.runId || "–"),
      ...[agent.runIds.join(" ") || "–", agent.reason],
    ]),
  ];
}

function agentCells(agent: AgentStatus, nowMs: number): string[] {
  const { agentId, state, host, numSlots, numUsedSlots, drained, inventory } = agent;
  const heard = state === AgentState.CONNECTED ? "now" : `${formatAge(agent.heardAtMs, nowMs)} ago`;
  return [
    ...[agentId, drained ? `${STATES[state]}, drained` : STATES[state], host],
    `${numUsedSlots}/${numSlots}`,
    gpusOf(agent),
    inventory ? formatBytes(Number(inventory.memoryBytes)) : "–",
    heard,
  ];
}

/** "8 × NVIDIA H100 80GB HBM3"; unlike ones one after the other. */
function gpusOf({ inventory }: AgentStatus): string {
  const counts = new Map<string, number>();
  for (const { name } of inventory?.accelerators ?? []) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, count]) => `${count} × ${name}`).join(", ") || "–";
}
