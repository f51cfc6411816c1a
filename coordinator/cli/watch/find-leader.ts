import { create } from "@bufbuild/protobuf";
import { type Client, type ServiceError, status } from "@grpc/grpc-js";
import {
  type AgentStatus,
  FleetService,
  ListAgentsRequestSchema,
} from "../../../proto/gen/moestro/v1/fleet_pb.js";
import { grpcMethods } from "../../../proto/grpc.ts";
import { MoestroError } from "../../errors.ts";
import type { Coordinators } from "../../rpc/call-leader.ts";
import { callError, requestUnary } from "../../rpc/call-unary.ts";
import { openClient, type TlsMaterial } from "../../rpc/client.ts";
import { otherLeader } from "../../rpc/not-leading.ts";
import { MAX_MESSAGE_BYTES } from "../../rpc/server.ts";

/** A coordinator that does not answer in this time is passed over. */
export const ANSWER_MS = 3000;

const { listAgents } = grpcMethods(FleetService);

/** What a coordinator says of the agents; only the one that leads has them. */
export type AgentsAnswer = { agents: AgentStatus[] } | { notLeading: string; leader?: string };

export type FoundCoordinator = { address: string; client: Client };
type Answered = FoundCoordinator & { answer: AgentsAnswer };

/** Asks a coordinator for its agents. Rejects with grpc-js' ServiceError. */
export async function askAgents(client: Client): Promise<AgentsAnswer> {
  const request = create(ListAgentsRequestSchema);
  try {
    const { agents } = await requestUnary(client, listAgents, request, ANSWER_MS);
    return { agents };
  } catch (error) {
    const failure = error as ServiceError;
    // The coordinator of a single run has no agents to tell of.
    if (failure.code === status.UNIMPLEMENTED) return { agents: [] };
    const elsewhere = otherLeader(failure);
    if (!elsewhere) throw error;
    const { leader } = elsewhere;
    return { notLeading: failure.details, ...(leader === undefined ? {} : { leader }) };
  }
}

/**
 * A client of the coordinator that leads; while none does, of one that stands by. All are
 * asked at once: one that hangs holds up nobody. Throws MoestroError, a line for each.
 */
export async function findLeader(
  coordinators: Coordinators,
  signal: AbortSignal,
): Promise<FoundCoordinator> {
  const { addresses, material } = coordinators;
  const asked = addresses.map((address) => ask(address, material, signal));
  const leading = asked.map(async (one) => {
    const answered = await one;
    if ("notLeading" in answered.answer) throw new Error(answered.answer.notLeading);
    return answered;
  });
  const found = await Promise.any(leading).catch(() => standIn(asked, coordinators, signal));
  for (const one of asked) {
    one.then(
      ({ client }) => client !== found.client && client.close(),
      () => {},
    );
  }
  return found;
}

/** None of them leads: the one they name, else the first that answers. */
async function standIn(
  asked: readonly Promise<Answered>[],
  { addresses, material }: Coordinators,
  signal: AbortSignal,
): Promise<FoundCoordinator> {
  const settled = await Promise.allSettled(asked);
  const answered = settled.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
  for (const { answer } of answered) {
    const leader = "leader" in answer ? answer.leader : undefined;
    if (leader === undefined || addresses.includes(leader)) continue;
    const found = await ask(leader, material, signal).catch(() => undefined);
    if (found) return found;
  }
  const [first] = answered;
  if (first) return first;
  const errors = settled.flatMap((one) => (one.status === "rejected" ? one.reason : []));
  const refusal = errors.find((error) => !isPassing(error));
  throw (
    refusal ??
    new MoestroError(
      "environment",
      errors.map(({ message }) => message),
    )
  );
}

async function ask(address: string, trust: TlsMaterial, signal: AbortSignal): Promise<Answered> {
  const client = openClient(address, trust, {
    // A pool of its own: an earlier client's wait to connect again is not this one's.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  });
  const close = () => client.close();
  signal.addEventListener("abort", close);
  try {
    return { address, client, answer: await askAgents(client) };
  } catch (error) {
    client.close();
    throw failureOf(address, error as ServiceError);
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** A failed call, told to a person. */
export function failureOf(address: string, error: ServiceError): MoestroError {
  return error.code === status.DEADLINE_EXCEEDED
    ? new MoestroError("environment", `${address}: it does not answer`)
    : callError(address, error);
}

/** Whether trying again may help; not where the caller is refused. */
export function isPassing(error: unknown): error is MoestroError {
  return error instanceof MoestroError && error.code !== "invalid_input";
}
