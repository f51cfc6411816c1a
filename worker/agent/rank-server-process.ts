import { type ChildProcessByStdio, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { delimiter } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type {
  AgentToRank,
  RankProcessEnded,
  RankProcessStarted,
  RankToAgent,
} from "../../proto/gen/moestro/v1/rank_pb.js";
import type { RankLink, RankLinks } from "./rank-links.ts";

const ENGINE = fileURLToPath(new URL("../engine", import.meta.url));

/** Imports take seconds; whoever waits so long is told what for. */
const SLOW_START_MS = 30_000;
/** For what it said before it ended to arrive. */
const DRAIN_MS = 500;

export type ServerProcessOptions = {
  python: string;
  links: RankLinks;
  /** Processor threads for each rank's computations. */
  numThreads: number;
  /** One that does not answer for so long is ended. */
  answerMs: number;
};

export type ServerProcessEvents = {
  canStart(whyNoForks: string): void;
  started(one: RankProcessStarted): void;
  ended(one: RankProcessEnded): void;
  /** It is far from ready after this time. */
  isSlow(seconds: number): void;
  /** @param how it ended, or why it never was: "was ended by SIGKILL" */
  lost(how: string): void;
};

/** A process of the engine that starts ranks, from its own start to its end. */
export class ServerProcess {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #link: RankLink;
  readonly #events: ServerProcessEvents;
  readonly #answerMs: number;
  readonly #slow: NodeJS.Timeout;
  #numUnanswered = 0;
  #overdue: NodeJS.Timeout | undefined;
  #isStuck = false;
  /** Of what it printed: it has no other words when it ends. */
  #lastLine: string | undefined;

  constructor(options: ServerProcessOptions, events: ServerProcessEvents) {
    const { python, links, numThreads, answerMs } = options;
    this.#events = events;
    this.#answerMs = answerMs;
    const token = randomBytes(16).toString("hex");
    this.#link = links.expect(token);
    this.#link.listen((message) => this.#receive(message));
    this.#child = spawn(python, ["-m", "moestro_engine.rank_server", "--socket", links.path], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        PYTHONPATH: [ENGINE, process.env.PYTHONPATH].filter(Boolean).join(delimiter),
        MOESTRO_RANK_TOKEN: token,
        PYTHONUNBUFFERED: "1",
        OMP_NUM_THREADS: String(numThreads),
        // numpy would start threads when it is imported, and computes nothing here.
        OPENBLAS_NUM_THREADS: "1",
      },
    });
    for (const input of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input }).on("line", (line) => {
        this.#lastLine = line;
      });
    }
    this.#slow = setTimeout(() => events.isSlow(SLOW_START_MS / 1000), SLOW_START_MS);
    void this.#end().then((how) => {
      links.forget(token);
      events.lost(how);
    });
  }

  /** Undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** For what it answers; one that does not is ended, and its ranks with it. */
  ask(message: AgentToRank["message"]): void {
    this.#link.send(message);
    this.#numUnanswered += 1;
    this.#overdue ??= this.#await();
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #await(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#isStuck = true;
      this.kill();
    }, this.#answerMs);
  }

  #answered(): void {
    this.#numUnanswered -= 1;
    clearTimeout(this.#overdue);
    this.#overdue = this.#numUnanswered > 0 ? this.#await() : undefined;
  }

  #receive(message: RankToAgent["message"]): void {
    switch (message.case) {
      case "canStart":
        clearTimeout(this.#slow);
        this.#events.canStart(message.value.whyNoForks);
        break;
      case "processStarted":
        this.#answered();
        this.#events.started(message.value);
        break;
      case "processSignalled":
        this.#answered();
        break;
      case "processEnded":
        this.#events.ended(message.value);
        break;
    }
  }

  /** How it ended, once all that it said has been heard. */
  async #end(): Promise<string> {
    const how = await new Promise<string>((resolve) => {
      this.#child.once("error", ({ message }) => resolve(`cannot be started: ${message}`));
      this.#child.once("exit", (code, signal) =>
        resolve(signal ? `was ended by ${signal}` : `ended with exit code ${code}`),
      );
    });
    clearTimeout(this.#slow);
    clearTimeout(this.#overdue);
    await Promise.race([this.#link.drained(), sleep(DRAIN_MS, undefined, { ref: false })]);
    if (this.#isStuck) return `did not answer for ${this.#answerMs / 1000} s and was ended`;
    return this.#lastLine === undefined ? how : `${how}; its last line: ${this.#lastLine}`;
  }
}
