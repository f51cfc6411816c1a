import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import { encodeFrame, FrameDecoder } from "../../proto/framing.ts";
import {
  type AgentToRank,
  AgentToRankSchema,
  type RankToAgent,
  RankToAgentSchema,
} from "../../proto/gen/moestro/v1/rank_pb.js";
import { makePrivateFolder, socketIn } from "./private-folder.ts";

/**
 * One process's end of the socket, before and after it connects. What is sent to one
 * that has not connected yet waits for it; what is heard before anybody listens, too.
 */
export class RankLink {
  /** Settles once the process's connection is closed. */
  readonly closed: Promise<void>;
  #markClosed: () => void = () => {};
  #socket: Socket | undefined;
  #outbox: Buffer[] = [];
  #inbox: RankToAgent["message"][] = [];
  #listener: ((message: RankToAgent["message"]) => void) | undefined;

  constructor() {
    this.closed = new Promise((resolve) => {
      this.#markClosed = resolve;
    });
  }

  get isConnected(): boolean {
    return this.#socket !== undefined;
  }

  /** Hands what the process says to `listener`, which throws on what makes no sense. */
  listen(listener: (message: RankToAgent["message"]) => void): void {
    this.#listener = listener;
    for (const message of this.#inbox.splice(0)) listener(message);
  }

  send(message: AgentToRank["message"]): void {
    const frame = encodeFrame(AgentToRankSchema, create(AgentToRankSchema, { message }));
    if (this.#socket) this.#socket.write(frame);
    else this.#outbox.push(frame);
  }

  /** Resolves once all that the process sent before it ended has been handled. */
  async drained(): Promise<void> {
    if (this.#socket) await this.closed;
  }

  /** Takes the process's connection; false if it has one already. */
  attach(socket: Socket): boolean {
    if (this.#socket) return false;
    this.#socket = socket;
    socket.once("close", this.#markClosed);
    for (const frame of this.#outbox.splice(0)) socket.write(frame);
    return true;
  }

  receive(message: RankToAgent["message"]): void {
    if (message.case === "hello" || message.case === undefined) {
      throw new Error("a message that makes no sense here");
    }
    if (this.#listener) this.#listener(message);
    else this.#inbox.push(message);
  }

  close(): void {
    this.#socket?.destroy();
  }
}

/**
 * The Unix socket that all processes of this agent report to, in a folder only this
 * user can enter. A process is known by the secret it was given when it was started.
 */
export class RankLinks {
  /** The private folder, for what else must not be seen. */
  readonly directory: string;
  readonly path: string;
  readonly #server: Server;
  /** By hash of the secret, so that looking one up tells nothing of it. */
  readonly #links = new Map<string, RankLink>();

  private constructor(directory: string) {
    this.directory = directory;
    this.path = socketIn(directory);
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** `scratch`: an existing folder that the socket's private folder is made in. */
  static async open(scratch: string): Promise<RankLinks> {
    const links = new RankLinks(makePrivateFolder(scratch));
    await new Promise<void>((resolve, reject) => {
      links.#server.once("error", reject);
      links.#server.listen(links.path, resolve);
    });
    return links;
  }

  /** Expects a process that knows this secret. */
  expect(token: string): RankLink {
    const link = new RankLink();
    this.#links.set(hash(token), link);
    return link;
  }

  /** The process with this secret has ended. */
  forget(token: string): void {
    this.#links.get(hash(token))?.close();
    this.#links.delete(hash(token));
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    this.#server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #accept(socket: Socket): void {
    const decoder = new FrameDecoder(RankToAgentSchema);
    let link: RankLink | undefined;
    // A rank that dies while something is written to it shows as its exit.
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      try {
        for (const { message } of decoder.push(chunk)) {
          if (link) link.receive(message);
          else {
            const known =
              message.case === "hello" ? this.#links.get(hash(message.value.token)) : undefined;
            if (!known?.attach(socket)) {
              socket.destroy();
              return;
            }
            link = known;
          }
        }
      } catch (error) {
        console.error(`moestro agent: dropped a rank's link: ${(error as Error).message}`);
        socket.destroy();
      }
    });
  }
}

function hash(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
