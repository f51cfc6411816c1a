import { readFileSync } from "node:fs";
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

export type StreamHandlers = {
  message(message: CoordinatorMessage): void;
  /** The stream has ended; `why` is one sentence. Called once. */
  ended(why: string): void;
};

/**
 * The agent's one stream to the coordinator, mutually authenticated. Stamps
 * every message with the fence last received, so that a message of an older
 * generation is known as such.
 */
export class CoordinatorStream {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<ConnectRequest, ConnectResponse>;
  #fence: Fence = create(FenceSchema);
  #ended = false;

  constructor(options: AgentOptions, handlers: StreamHandlers) {
    const read = (name: string) => readFileSync(join(options.credentials, name));
    const tls = credentials.createSsl(read("authority.crt"), read("agent.key"), read("agent.crt"));
    const { connect } = grpcMethods(AgentService);
    this.#client = new Client(options.coordinator, tls);
    this.#stream = this.#client.makeBidiStreamRequest(
      connect.path,
      connect.requestSerialize,
      connect.responseDeserialize,
      new Metadata(),
    );
    this.#stream.on("data", (response: ConnectResponse) => {
      if (response.fence) this.#fence = response.fence;
      handlers.message(response.message);
    });
    const end = (why: string) => {
      if (this.#ended) return;
      this.#ended = true;
      handlers.ended(why);
    };
    this.#stream.on("error", (error) => end(error.message));
    this.#stream.on("end", () => end("the coordinator closed the stream"));
  }

  get runId(): string {
    return this.#fence.runId;
  }

  get generation(): bigint {
    return this.#fence.generation;
  }

  send(message: AgentMessage): void {
    if (this.#ended) return;
    this.#stream.write(create(ConnectRequestSchema, { fence: this.#fence, message }));
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
