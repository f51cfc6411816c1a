import { create } from "@bufbuild/protobuf";
import type { Server } from "@grpc/grpc-js";
import {
  type AgentStatus,
  type DrainAgentRequest,
  type DrainAgentResponse,
  DrainAgentResponseSchema,
  FleetService,
  type ListAgentsRequest,
  type ListAgentsResponse,
  ListAgentsResponseSchema,
} from "../../proto/gen/moestro/v1/fleet_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { unary } from "./handlers.ts";

/** The agents of a coordinator. */
export interface Agents {
  list(): Promise<AgentStatus[]>;
  drain(agentId: string, drained: boolean): Promise<void>;
}

/** Serves FleetService; who may call what is the guard's. */
export function addFleetService(server: Server, agents: Agents): void {
  server.addService(grpcMethods(FleetService), {
    listAgents: unary<ListAgentsRequest, ListAgentsResponse>(async () =>
      create(ListAgentsResponseSchema, { agents: await agents.list() }),
    ),
    drainAgent: unary<DrainAgentRequest, DrainAgentResponse>(async ({ agentId, undo }) => {
      await agents.drain(agentId, !undo);
      return create(DrainAgentResponseSchema);
    }),
  });
}
