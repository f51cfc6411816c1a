import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import type { RankAssignment } from "../../proto/gen/moestro/v1/rank_pb.js";
import { tailOf } from "./log-tail.ts";
import type { RankLink, RankLinks } from "./rank-links.ts";

/** Processor threads for each of the ranks that share this machine. */
export function threadsPerRank(numRanks: number): number {
  return Math.max(1, Math.floor(availableParallelism() / numRanks));
}

export type RankExit = {
  /** Undefined of one that a signal ended, or that never was. */
  exitCode: number | undefined;
  signal: string;
  logTail: string[];
  /** What ended it that it could not tell itself. */
  problem?: string;
};

/** How whoever started a process knows it to have ended. */
export type RankEnd = Partial<Omit<RankExit, "logTail">>;

/** A rank as its group deals with it: a process, or in measurements what stands for one. */
export type RankHandle = {
  readonly link: Pick<RankLink, "listen" | "send" | "drained" | "isConnected">;
  /** Settles with the process's id, or undefined if it could not be started. */
  readonly started: Promise<number | undefined>;
  readonly ended: Promise<RankExit>;
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  readonly logPath: string;
  assign(assignment: RankAssignment): void;
  signal(signal: NodeJS.Signals): void;
  kill(graceMs: number): void;
};

export type RankProcessOptions = {
  links: RankLinks;
  /** Where its output goes. */
  logPath: string;
  /** Has a signal sent to it, if it has not ended. */
  signal(signal: NodeJS.Signals): void;
};

/**
 * One process of the engine. Its output goes straight into its log file, so the agent copies
 * nothing and a log survives the agent. Who starts it says so, and when it has ended.
 */
export class RankProcess implements RankHandle {
  /** The secret that it is known by. */
  readonly token = randomBytes(16).toString("hex");
  readonly link: RankLink;
  readonly started: Promise<number | undefined>;
  readonly ended: Promise<RankExit>;
  readonly #options: RankProcessOptions;
  #pid: number | undefined;
  #running = true;
  #markStarted: (pid: number | undefined) => void = () => {};
  #markEnded: (exit: RankExit) => void = () => {};

  constructor(options: RankProcessOptions) {
    this.#options = options;
    this.link = options.links.expect(this.token);
    this.started = new Promise((resolve) => {
      this.#markStarted = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#markEnded = resolve;
    });
    void this.ended.then(async () => {
      await this.link.drained();
      options.links.forget(this.token);
    });
  }

  /** Undefined until it is started, and if it could not be. */
  get pid(): number | undefined {
    return this.#pid;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  get logPath(): string {
    return this.#options.logPath;
  }

  assign(assignment: RankAssignment): void {
    this.link.send({ case: "assignment", value: assignment });
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#running) this.#options.signal(signal);
  }

  /** Asks the process to end, and ends it after `graceMs`; without any, at once. */
  kill(graceMs: number): void {
    if (!this.#running) return;
    if (graceMs <= 0) {
      this.signal("SIGKILL");
      return;
    }
    this.signal("SIGTERM");
    const force = setTimeout(() => this.signal("SIGKILL"), graceMs);
    void this.ended.then(() => clearTimeout(force));
  }

  hasStarted(pid: number): void {
    this.#pid = pid;
    this.#markStarted(pid);
  }

  hasEnded({ exitCode, signal = "", problem }: RankEnd): void {
    this.#running = false;
    this.#markStarted(undefined);
    const logTail = tailOf(this.logPath);
    this.#markEnded({ exitCode, signal, logTail, ...(problem === undefined ? {} : { problem }) });
  }
}
