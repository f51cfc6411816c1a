import { closeSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { holderOf, isAlive } from "../../coordinator/store/holder.ts";
import {
  SignalRankProcessSchema,
  StartRankProcessSchema,
} from "../../proto/gen/moestro/v1/rank_pb.js";
import { type RankEnd, type RankHandle, RankProcess } from "./rank-process.ts";
import { ServerProcess, type ServerProcessOptions } from "./rank-server-process.ts";

/** What starts ranks does so at once; on a machine that is overloaded, within this. */
const ANSWER_MS = 10_000;
/** Ranks that end with what started them hold their memory for a moment yet. */
const GONE_MS = 30_000;
const GONE_POLL_MS = 50;

export type RankServerOptions = Omit<ServerProcessOptions, "answerMs"> & {
  answerMs?: number;
  /** One line for the log. */
  note(line: string): void;
};

/**
 * Starts ranks by a process that has imported all they need, which is most of what a start, or
 * a restart, would take: they are forked from it. One that ends takes its ranks along; the next
 * one is made at once, or if it never came to stand, when ranks are to start again.
 */
export class RankServer {
  readonly #options: RankServerOptions;
  readonly #answerMs: number;
  /** By the secret they are known by, to their end. */
  readonly #ranks = new Map<string, RankProcess>();
  /** Those that are to start once it can. */
  readonly #waiting = new Set<RankProcess>();
  #process: ServerProcess | undefined;
  #canStart = false;
  #isClosed = false;

  constructor(options: RankServerOptions) {
    this.#options = options;
    this.#answerMs = options.answerMs ?? ANSWER_MS;
    this.#process = this.#open();
  }

  /**
   * A process that is to become a rank, and writes to `logPath`. Throws if it could not.
   */
  start(logPath: string): RankHandle {
    closeSync(openSync(logPath, "a"));
    this.#process ??= this.#open();
    const rank = new RankProcess({
      ...{ links: this.#options.links, logPath },
      signal: (name) => this.#signal(rank, name),
    });
    this.#ranks.set(rank.token, rank);
    if (this.#canStart) this.#start(rank);
    else this.#waiting.add(rank);
    void rank.link.closed.then(() => this.#lookAfter(rank));
    return rank;
  }

  /** Ends what starts ranks, and what ranks there still are. */
  close(): void {
    this.#isClosed = true;
    this.#process?.kill();
  }

  #open(): ServerProcess {
    const { note } = this.#options;
    const one: ServerProcess = new ServerProcess(
      { ...this.#options, answerMs: this.#answerMs },
      {
        canStart: (whyNoForks) => {
          note(whyNoForks ? `ranks import for themselves: ${whyNoForks}` : "ready to start ranks");
          this.#canStart = true;
          for (const rank of this.#waiting) this.#start(rank);
          this.#waiting.clear();
        },
        started: ({ token, pid, problem }) => {
          if (problem === "") this.#ranks.get(token)?.hasStarted(Number(pid));
          else this.#end(token, { problem: `cannot start ranks: ${problem}` });
        },
        ended: ({ token, exitCode, signal }) =>
          this.#end(token, { signal, ...(exitCode === undefined ? {} : { exitCode }) }),
        isSlow: (seconds) =>
          note(`process ${one.pid} still imports what ranks need, after ${seconds} s`),
        lost: (how) => this.#lost(`the process that starts ranks ${how}`),
      },
    );
    return one;
  }

  #start({ token, logPath }: RankProcess): void {
    const value = create(StartRankProcessSchema, { token, logPath });
    this.#process?.ask({ case: "startProcess", value });
  }

  #signal(rank: RankProcess, signal: NodeJS.Signals | ""): void {
    if (this.#waiting.delete(rank)) {
      this.#end(rank.token, { signal });
      return;
    }
    const value = create(SignalRankProcessSchema, { token: rank.token, signal });
    this.#process?.ask({ case: "signalProcess", value });
  }

  /** Of a rank that has closed its link the end is told soon, unless nobody is there to tell it. */
  async #lookAfter(rank: RankProcess): Promise<void> {
    await sleep(this.#answerMs, undefined, { ref: false });
    if (this.#ranks.has(rank.token)) this.#signal(rank, "");
  }

  #end(token: string, exit: RankEnd): void {
    const rank = this.#ranks.get(token);
    this.#ranks.delete(token);
    rank?.hasEnded(exit);
  }

  #lost(what: string): void {
    const wasReady = this.#canStart;
    this.#process = undefined;
    this.#canStart = false;
    this.#waiting.clear();
    for (const rank of this.#ranks.values()) void this.#loseRank(rank, what);
    this.#ranks.clear();
    if (this.#isClosed) return;
    this.#options.note(what);
    if (wasReady) this.#process = this.#open();
  }

  /** The kernel ends a rank with what started it; where it does not, that its link is closed does. */
  async #loseRank(rank: RankProcess, what: string): Promise<void> {
    const { pid } = rank;
    if (pid === undefined) {
      rank.hasEnded({ problem: `cannot start ranks: ${what}` });
      return;
    }
    rank.link.close();
    const holder = holderOf(pid);
    const deadline = performance.now() + GONE_MS;
    while (holder && isAlive(holder) && performance.now() < deadline) {
      await sleep(GONE_POLL_MS, undefined, { ref: false });
    }
    rank.hasEnded({ problem: what });
  }
}
