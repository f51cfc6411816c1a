import { create } from "@bufbuild/protobuf";
import { type Client, type ClientDuplexStream, Metadata, status } from "@grpc/grpc-js";
import { openClient, type TlsMaterial } from "../../coordinator/rpc/client.ts";
import {
  AgentService,
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  type Fence,
  FenceSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";

export type CoordinatorMessage = ConnectResponse["message"];
export type AgentMessage = ConnectRequest["message"];

/** A plan for thousands of ranks with its job fits many times over. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const FLUSH_MS = 1000;

/** How a stream ended: gRPC's status, and one sentence. */
export type StreamEnd = { code: status; why: string };

export type StreamHandlers = {
  message(message: CoordinatorMessage, fence: Fence): void;
  /** There is room again after `send` returned false. */
  writable(): void;
  /** Called once, and not after `abandon` or `finish`. */
  ended(end: StreamEnd): void;
};

/** One connection to one coordinator, mutually authenticated. */
export class CoordinatorStream {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<ConnectRequest, ConnectResponse>;
  #ended = false;

  constructor(address: string, tls: TlsMaterial, handlers: StreamHandlers) {
    const { connect } = grpcMethods(AgentService);
    this.#client = openClient(address, tls, {
      "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
      "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
      // Back-off is the agent's own; a shared connection would add another one.
      "grpc.use_local_subchannel_pool": 1,
    });
    this.#stream = this.#client.makeBidiStreamRequest(
      connect.path,
      connect.requestSerialize,
      connect.responseDeserialize,
      new Metadata(),
    );
    const end = (ended: StreamEnd) => {
      if (this.#ended) return;
      this.#ended = true;
      this.#client.close();
      handlers.ended(ended);
    };
    this.#stream.on("data", ({ message, fence }: ConnectResponse) => {
      if (!this.#ended) handlers.message(message, fence ?? create(FenceSchema));
    });
    this.#stream.on("drain", () => {
      if (!this.#ended) handlers.writable();
    });
    this.#stream.on("error", (error: Error & { code?: status; details?: string }) => {
      end({ code: error.code ?? status.UNKNOWN, why: error.details ?? error.message });
    });
    this.#stream.on("end", () => end({ code: status.OK, why: "it closed the stream" }));
  }

  /** Returns false if what follows should wait for `writable`. */
  send(message: AgentMessage, fence: Fence): boolean {
    if (this.#ended) return false;
    return this.#stream.write(create(ConnectRequestSchema, { message, fence }));
  }

  /** Leaves the connection at once, with whatever is under way. */
  abandon(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.cancel();
    this.#client.close();
  }

  /** Sends what is queued and ends the stream. */
  async finish(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await new Promise<void>((resolve) => {
      this.#stream.once("status", () => resolve());
      this.#stream.end();
      setTimeout(resolve, FLUSH_MS).unref();
    });
    this.#client.close();
  }
}
