import { create } from "@bufbuild/protobuf";
import type { Client } from "@grpc/grpc-js";
import { requestUnary } from "../../../coordinator/rpc/call-unary.ts";
import { parseJob } from "../../../coordinator/spec/load-job.ts";
import {
  AgentState,
  FleetService,
  ListAgentsRequestSchema,
} from "../../../proto/gen/moestro/v1/fleet_pb.js";
import {
  GetRunRequestSchema,
  RunService,
  type RunStatus,
  StopRunRequestSchema,
  type SubmitRunRequest,
  SubmitRunRequestSchema,
} from "../../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../../proto/grpc.ts";

const runs = grpcMethods(RunService);
const fleet = grpcMethods(FleetService);
const PATIENCE_MS = 60_000;

/** What `moestro submit` sends for a job file. */
export async function submission(text: string, runId: string): Promise<SubmitRunRequest> {
  const { job } = await parseJob(text, "/job.json", "job");
  return create(SubmitRunRequestSchema, { jobJson: JSON.stringify(job), jobText: text, runId });
}

export function submit(client: Client, request: SubmitRunRequest) {
  return requestUnary(client, runs.submitRun, request, PATIENCE_MS);
}

export async function statusOf(client: Client, runId: string): Promise<RunStatus | undefined> {
  const request = create(GetRunRequestSchema, { runId });
  return (await requestUnary(client, runs.getRun, request, PATIENCE_MS)).status;
}

export function kill(client: Client, runId: string) {
  const request = create(StopRunRequestSchema, { runId, checkpoint: false });
  return requestUnary(client, runs.stopRun, request, PATIENCE_MS);
}

/** Agents that are connected. */
export async function numConnected(client: Client): Promise<number> {
  const request = create(ListAgentsRequestSchema);
  const { agents } = await requestUnary(client, fleet.listAgents, request, PATIENCE_MS);
  return agents.filter(({ state }) => state === AgentState.CONNECTED).length;
}
