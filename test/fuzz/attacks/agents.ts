import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import { openClient } from "../../../coordinator/rpc/client.ts";
import {
  type AgentHello,
  AgentHelloSchema,
  AgentService,
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  type Fence,
  FenceSchema,
} from "../../../proto/gen/moestro/v1/agent_pb.js";
import { type StepReport, StepReportSchema } from "../../../proto/gen/moestro/v1/report_pb.js";
import { grpcMethods } from "../../../proto/grpc.ts";
import type { Random } from "../../faults/random.ts";
import { randomMessage } from "../random-message.ts";
import type { Attack, Target } from "../target.ts";

const NUM_SLOTS = 4;
const { connect } = grpcMethods(AgentService);

/**
 * An agent with a certificate that says what it likes: messages that are sound, out of
 * turn, of its own generation, of others and of none.
 */
export const agents: Attack = async (target, random) => {
  const caller = random.pick(target.agents);
  if (!caller.material) return;
  const client = openClient(`${target.host}:${target.port}`, caller.material, {
    "grpc.use_local_subchannel_pool": 1,
  });
  const stream = client.makeBidiStreamRequest(
    connect.path,
    connect.requestSerialize,
    connect.responseDeserialize,
  );
  const fences: Fence[] = [];
  let isOver = false;
  const ended = new Promise<void>((resolve) => {
    stream.on("error", ({ details }: ServiceError) => {
      isOver = true;
      if (details?.includes("\n")) target.fault(`an agent is refused with lines: ${details}`);
      resolve();
    });
    stream.on("end", () => {
      isOver = true;
      resolve();
    });
  });
  stream.on("data", ({ fence }: ConnectResponse) => {
    if (fence && fence.runId !== "") fences.push(fence);
  });
  const agentId = caller.name.slice("agent:".length);
  if (random.next() < 0.95) stream.write(hello(agentId, target, random));
  for (let left = random.whole(1, 60); left > 0 && !isOver; left -= 1) {
    target.count("messages of agents");
    stream.write(anyMessage(fences, target, random));
    if (random.next() < 0.3) await sleep(random.whole(0, 30));
  }
  if (random.next() < 0.5) stream.end();
  await Promise.race([ended, sleep(200)]);
  stream.cancel();
  client.close();
};

function hello(agentId: string, target: Target, random: Random): ConnectRequest {
  const isOwn = random.next() < 0.9;
  const wild = randomMessage(AgentHelloSchema, random, target.runIds) as AgentHello;
  const own = { agentId: isOwn ? agentId : "node-0", numSlots: NUM_SLOTS, address: "127.0.0.1" };
  const value = create(AgentHelloSchema, { ...wild, ...own });
  return create(ConnectRequestSchema, { message: { case: "hello", value } });
}

function anyMessage(fences: readonly Fence[], target: Target, random: Random): ConnectRequest {
  const wild = randomMessage(ConnectRequestSchema, random, target.runIds) as ConnectRequest;
  const told = fences.at(-1);
  // Most that is said under a fence nobody knows is not read.
  if (!told || random.next() < 0.2) return wild;
  const fence = create(FenceSchema, told);
  // Its ranks' end would end the run, and with it what else there is to try.
  if (wild.message.case === "rankExited" && random.next() < 0.8) {
    const value = randomMessage(StepReportSchema, random, []) as StepReport;
    return create(ConnectRequestSchema, { fence, message: { case: "step", value } });
  }
  return { ...wild, fence };
}
