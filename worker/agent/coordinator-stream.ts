import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials, Metadata } from "@grpc/grpc-js";
import {
  AgentService,
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  type Fence,
  FenceSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import type { AgentOptions } from "./options.ts";

export type CoordinatorMessage = ConnectResponse["message"];
export type AgentMessage = ConnectRequest["message"];

const FILES = ["authority.crt", "agent.crt", "agent.key"];

export type StreamHandlers = {
  message(message: CoordinatorMessage, fence: Fence): void;
  /** The stream has ended; `why` is one sentence. Called once. */
  ended(why: string): void;
};

/**
 * The agent's one stream to the coordinator, mutually authenticated. What an
 * older coordinator or generation sends is not handed on.
 */
export class CoordinatorStream {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<ConnectRequest, ConnectResponse>;
  #fence: Fence = create(FenceSchema);
  #ended = false;

  constructor(options: AgentOptions, handlers: StreamHandlers) {
    const read = (name: string) => readFileSync(join(options.credentials, name));
    const tls = credentials.createSsl(read("authority.crt"), read("agent.key"), read("agent.crt"));
    // Keys made for this process alone need not lie about any longer.
    if (options.ownCredentials) for (const name of FILES) rmSync(join(options.credentials, name));
    const { connect } = grpcMethods(AgentService);
    this.#client = new Client(options.coordinator, tls);
    this.#stream = this.#client.makeBidiStreamRequest(
      connect.path,
      connect.requestSerialize,
      connect.responseDeserialize,
      new Metadata(),
    );
    this.#stream.on("data", (response: ConnectResponse) => {
      const fence = response.fence ?? this.#fence;
      if (isOlder(fence, this.#fence)) return;
      this.#fence = fence;
      handlers.message(response.message, fence);
    });
    const end = (why: string) => {
      if (this.#ended) return;
      this.#ended = true;
      handlers.ended(why);
    };
    this.#stream.on("error", (error) => end(error.message));
    this.#stream.on("end", () => end("the coordinator closed the stream"));
  }

  /** Sends a message about what `fence` names; a later generation is not meant by it. */
  send(message: AgentMessage, fence?: Fence): void {
    if (this.#ended) return;
    this.#stream.write(
      create(ConnectRequestSchema, { message, fence: fence ?? create(FenceSchema) }),
    );
  }

  /** Sends what is queued and ends the stream; the handlers hear no more. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await new Promise<void>((resolve) => {
      this.#stream.once("status", () => resolve());
      this.#stream.end();
      setTimeout(resolve, 1000).unref();
    });
    this.#client.close();
  }
}

function isOlder(fence: Fence, than: Fence): boolean {
  if (fence.coordinatorEpoch !== than.coordinatorEpoch) {
    return fence.coordinatorEpoch < than.coordinatorEpoch;
  }
  return fence.generation < than.generation;
}
