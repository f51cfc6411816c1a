import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { encodeFrame, FrameDecoder } from "../../proto/framing.ts";
import {
  type AgentToRank,
  AgentToRankSchema,
  type RankToAgent,
  RankToAgentSchema,
} from "../../proto/gen/moestro/v1/rank_pb.js";

export type LinkHandlers = {
  /** A rank connected and said who it is. Returns whether it is welcome. */
  hello(rank: number, token: string): boolean;
  message(rank: number, message: RankToAgent["message"]): void;
};

/**
 * The Unix socket ranks report to, in a folder only this user can enter. What
 * is sent to a rank that has not connected yet waits for it.
 */
export class RankLinks {
  readonly path: string;
  readonly #directory: string;
  readonly #server: Server;
  readonly #handlers: LinkHandlers;
  readonly #sockets = new Map<number, Socket>();
  readonly #waiting = new Map<number, Buffer[]>();

  private constructor(directory: string, handlers: LinkHandlers) {
    this.#directory = directory;
    this.path = join(directory, "ranks.sock");
    this.#handlers = handlers;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** `scratch`: an existing folder that the socket's private folder is made in. */
  static async open(scratch: string, handlers: LinkHandlers): Promise<RankLinks> {
    const links = new RankLinks(mkdtempSync(join(scratch, "ranks-")), handlers);
    await new Promise<void>((resolve, reject) => {
      links.#server.once("error", reject);
      links.#server.listen(links.path, resolve);
    });
    return links;
  }

  send(rank: number, message: AgentToRank["message"]): void {
    const frame = encodeFrame(AgentToRankSchema, create(AgentToRankSchema, { message }));
    const socket = this.#sockets.get(rank);
    if (socket) socket.write(frame);
    else this.#waiting.set(rank, [...(this.#waiting.get(rank) ?? []), frame]);
  }

  /** Resolves once all that the rank sent before it ended has been handled. */
  async drained(rank: number): Promise<void> {
    const socket = this.#sockets.get(rank);
    if (!socket || socket.closed) return;
    await new Promise<void>((resolve) => socket.once("close", () => resolve()));
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#server.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #accept(socket: Socket): void {
    const decoder = new FrameDecoder(RankToAgentSchema);
    let rank: number | undefined;
    // A rank that dies while something is written to it shows as its exit.
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      try {
        for (const { message } of decoder.push(chunk)) {
          if (rank !== undefined) this.#handlers.message(rank, message);
          else if (message.case === "hello" && this.#welcome(message.value, socket)) {
            rank = message.value.rank;
          } else {
            socket.destroy();
            return;
          }
        }
      } catch (error) {
        console.error(`rank ${rank ?? "unknown"}: dropped its link: ${(error as Error).message}`);
        socket.destroy();
      }
    });
  }

  #welcome(hello: { rank: number; token: string }, socket: Socket): boolean {
    if (this.#sockets.has(hello.rank) || !this.#handlers.hello(hello.rank, hello.token))
      return false;
    this.#sockets.set(hello.rank, socket);
    for (const frame of this.#waiting.get(hello.rank) ?? []) socket.write(frame);
    this.#waiting.delete(hello.rank);
    return true;
  }
}
