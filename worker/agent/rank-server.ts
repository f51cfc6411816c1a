import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { delimiter } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { RankLinks } from "./rank-links.ts";
import { type RankHandle, RankProcess } from "./rank-process.ts";

const ENGINE = fileURLToPath(new URL("../engine", import.meta.url));

/** Lines of what it says itself that are kept, for when it ends. */
const TAIL_LINES = 20;
/** What the shell says of a command that it cannot start. */
const NOT_STARTED = 127;

const answerSchema = z.union([
  z.object({ ready: z.object({ forks: z.boolean() }) }),
  z.object({ started: z.object({ token: z.string(), pid: z.number() }) }),
  z.object({
    exited: z.object({
      token: z.string(),
      code: z.number().optional(),
      signal: z.string().optional(),
    }),
  }),
]);

export type RankServerOptions = {
  python: string;
  links: RankLinks;
  /** Processor threads for each rank's computations. */
  numThreads: number;
  /** One line for the log. */
  note(line: string): void;
};

/**
 * The process that ranks are forked from: it has imported all they need, which is most of
 * what a start, or a restart, would take. One that ends takes its ranks along; the next one
 * is made at once, or if it never came to stand, when ranks are to start again.
 */
export class RankServer {
  readonly #options: RankServerOptions;
  /** By the secret they are known by. */
  readonly #ranks = new Map<string, RankProcess>();
  #child: ChildProcessWithoutNullStreams | undefined;
  #isClosed = false;

  constructor(options: RankServerOptions) {
    this.#options = options;
    this.#open();
  }

  /** Undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** A process that is to become a rank; without a better place it writes to `logPath`. */
  start(logPath: string): RankHandle {
    const { links } = this.#options;
    if (!this.#child) this.#open();
    const rank = new RankProcess({
      ...{ links, logPath },
      signal: (token, name) => this.#ask({ signal: { token, name } }),
    });
    this.#ranks.set(rank.token, rank);
    this.#ask({ start: { token: rank.token, log: logPath } });
    return rank;
  }

  /** Ends it, and what ranks there still are. */
  close(): void {
    this.#isClosed = true;
    this.#child?.kill("SIGKILL");
  }

  #open(): void {
    const { python, links, numThreads } = this.#options;
    const child = spawn(python, ["-m", "moestro_engine.rank_server", "--socket", links.path], {
      env: {
        ...process.env,
        PYTHONPATH: [ENGINE, process.env.PYTHONPATH].filter(Boolean).join(delimiter),
        PYTHONUNBUFFERED: "1",
        OMP_NUM_THREADS: String(numThreads),
        // numpy would start threads when it is imported, and computes nothing here.
        OPENBLAS_NUM_THREADS: "1",
      },
    });
    this.#child = child;
    let isReady = false;
    const said: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      if (said.length > TAIL_LINES) said.shift();
    });
    // Of one that has ended or never was, its end tells.
    child.stdin.on("error", () => {});
    createInterface({ input: child.stdout }).on("line", (line) => {
      const answer = answerSchema.parse(JSON.parse(line));
      if ("ready" in answer) {
        isReady = true;
        const each = answer.ready.forks ? "" : "; each imports for itself";
        this.#options.note(`ready to start ranks${each}`);
      } else if ("started" in answer) {
        this.#ranks.get(answer.started.token)?.hasStarted(answer.started.pid);
      } else {
        const { token, code, signal } = answer.exited;
        this.#end(token, {
          ...(code === undefined ? {} : { exitCode: code }),
          signal: signal ?? "",
        });
      }
    });
    child.once("error", ({ message }) => this.#lost(child, isReady, [message]));
    // Behind all that it has answered.
    child.once("close", () => this.#lost(child, isReady, said));
  }

  #lost(child: ChildProcessWithoutNullStreams, wasReady: boolean, logTail: string[]): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    for (const [token, { pid }] of this.#ranks) {
      // The kernel ends those that had started.
      this.#end(token, pid ? { signal: "SIGKILL" } : { exitCode: NOT_STARTED, logTail });
    }
    if (this.#isClosed) return;
    this.#options.note(`what starts ranks has ended: ${logTail.at(-1) ?? "it said nothing"}`);
    if (wasReady) this.#open();
  }

  #end(token: string, exit: Parameters<RankProcess["hasEnded"]>[0]): void {
    const rank = this.#ranks.get(token);
    this.#ranks.delete(token);
    rank?.hasEnded(exit);
  }

  #ask(request: object): void {
    this.#child?.stdin.write(`${JSON.stringify(request)}\n`);
  }
}
