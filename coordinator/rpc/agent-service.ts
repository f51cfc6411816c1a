import { create } from "@bufbuild/protobuf";
import { type Server, type ServerDuplexStream, status } from "@grpc/grpc-js";
import {
  type AgentHello,
  AgentService,
  type ConnectRequest,
  type ConnectResponse,
  ConnectResponseSchema,
  FenceSchema,
  WelcomeSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { peerName } from "./peer.ts";

const HEARTBEAT_INTERVAL_MS = 1000;

/** What a message is about; a message about anything else is stale. */
export type Fencing = { runId: string; generation: bigint; coordinatorEpoch: bigint };

/** One connected agent. */
export type AgentSession = {
  readonly hello: AgentHello;
  send(fence: Fencing, message: ConnectResponse["message"]): void;
};

export type AgentEvents = {
  /** Returns why the agent is refused, or undefined to welcome it. */
  connected(session: AgentSession): string | undefined;
  received(session: AgentSession, request: ConnectRequest): void;
  /** The stream ended; `why` is one sentence. */
  lost(session: AgentSession, why: string): void;
};

type Stream = ServerDuplexStream<ConnectRequest, ConnectResponse>;

/** Serves AgentService: an agent is who its certificate says it is. */
export function addAgentService(server: Server, events: AgentEvents): void {
  server.addService(grpcMethods(AgentService), {
    connect: (stream: Stream) => serve(stream, events),
  });
}

function serve(stream: Stream, events: AgentEvents): void {
  let session: AgentSession | undefined;
  let ended = false;
  const end = (why: string) => {
    if (session && !ended) events.lost(session, why);
    ended = true;
  };
  stream.on("data", (request: ConnectRequest) => {
    if (session) {
      events.received(session, request);
      return;
    }
    const refusal = admit(stream, request, events, (admitted) => {
      session = admitted;
    });
    if (refusal) stream.emit("error", { code: status.PERMISSION_DENIED, details: refusal });
  });
  stream.on("error", (error) => end(error.message));
  stream.on("cancelled", () => end("its connection broke"));
  stream.on("end", () => {
    end("it closed its stream");
    stream.end();
  });
}

/** Checks the first message of a stream; returns why the agent is refused, if it is. */
function admit(
  stream: Stream,
  request: ConnectRequest,
  events: AgentEvents,
  admitted: (session: AgentSession) => void,
): string | undefined {
  if (request.message.case !== "hello") return "the first message must be AgentHello";
  const hello = request.message.value;
  const name = peerName(stream);
  if (name !== `agent:${hello.agentId}`) {
    return `the certificate is of ${name ?? "nobody"}, not of agent ${hello.agentId}`;
  }
  const session: AgentSession = {
    hello,
    send: (fence, message) => {
      if (!stream.destroyed) {
        stream.write(create(ConnectResponseSchema, { fence: create(FenceSchema, fence), message }));
      }
    },
  };
  const refusal = events.connected(session);
  if (refusal) return refusal;
  admitted(session);
  const heartbeatIntervalMs = BigInt(HEARTBEAT_INTERVAL_MS);
  stream.write(
    create(ConnectResponseSchema, {
      message: { case: "welcome", value: create(WelcomeSchema, { heartbeatIntervalMs }) },
    }),
  );
  return undefined;
}
