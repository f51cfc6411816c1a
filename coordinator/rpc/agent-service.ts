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
import { peerOf } from "./peer.ts";
import { printable } from "./printable.ts";

const MAX_SLOTS = 1024;
/** A node is to be found lost within 5 s, so its silence must show early. */
const HEARTBEAT_INTERVAL_MS = 1000;

/** What a message is about; a message about anything else is stale. */
export type Fencing = { runId: string; generation: bigint; coordinatorEpoch: bigint };

/** One connected agent. */
export type AgentSession = {
  readonly hello: AgentHello;
  /** The one run whose ranks the agent may have, by its certificate; undefined for any. */
  readonly runId?: string | undefined;
  send(fence: Fencing, message: ConnectResponse["message"]): void;
  /** Ends the stream; the agent will connect again, here or elsewhere. */
  close(why: string): void;
};

export type AgentEvents = {
  /** Why agents are to go elsewhere; undefined if they are welcome. */
  refusal(): string | undefined;
  /** Returns why the agent is refused, or undefined to welcome it. */
  connected(session: AgentSession): string | undefined;
  received(session: AgentSession, request: ConnectRequest): void;
  /** The stream has ended. */
  lost(session: AgentSession): void;
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
  const end = () => {
    if (session && !ended) events.lost(session);
    ended = true;
  };
  const refuse = (code: status, details: string) => {
    if (!ended) stream.emit("error", { code, details: printable(details) });
  };
  stream.on("data", (request: ConnectRequest) => {
    if (ended) return;
    if (session) {
      events.received(session, request);
      return;
    }
    const elsewhere = events.refusal();
    if (elsewhere !== undefined) return refuse(status.UNAVAILABLE, elsewhere);
    const found = identify(stream, request);
    if (typeof found === "string") return refuse(status.PERMISSION_DENIED, found);
    const opened = { ...found, ...streamTo(stream, (why) => refuse(status.UNAVAILABLE, why)) };
    const refusal = events.connected(opened);
    if (refusal !== undefined) return refuse(status.ALREADY_EXISTS, refusal);
    session = opened;
    const heartbeatIntervalMs = BigInt(HEARTBEAT_INTERVAL_MS);
    stream.write(
      create(ConnectResponseSchema, {
        message: { case: "welcome", value: create(WelcomeSchema, { heartbeatIntervalMs }) },
      }),
    );
  });
  stream.on("error", end);
  stream.on("cancelled", end);
  stream.on("end", () => {
    end();
    stream.end();
  });
}

/** Who opens a stream, if its first message and the certificate agree; else why it is refused. */
function identify(
  stream: Stream,
  request: ConnectRequest,
): Pick<AgentSession, "hello" | "runId"> | string {
  if (request.message.case !== "hello") return "the first message must be AgentHello";
  const hello = request.message.value;
  const peer = peerOf(stream);
  if (peer?.name !== `agent:${hello.agentId}`) {
    return `the certificate is of ${peer?.name ?? "nobody"}, not of agent ${hello.agentId}`;
  }
  if (hello.numSlots < 0 || hello.numSlots > MAX_SLOTS) {
    return `${hello.numSlots} slots: a node has at most ${MAX_SLOTS}`;
  }
  if (hello.probePort < 0 || hello.probePort > 65_535) {
    return `${hello.probePort} is no port to ask on`;
  }
  return { hello, runId: peer.runId };
}

function streamTo(
  stream: Stream,
  close: (why: string) => void,
): Pick<AgentSession, "send" | "close"> {
  return {
    close,
    send: (fence, message) => {
      if (stream.destroyed) return;
      stream.write(create(ConnectResponseSchema, { fence: create(FenceSchema, fence), message }));
    },
  };
}
