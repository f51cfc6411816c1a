import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";
import type { RankAssignment } from "../../proto/gen/moestro/v1/rank_pb.js";
import { tailOf } from "./log-tail.ts";
import type { RankLink, RankLinks } from "./rank-links.ts";

const ENGINE = fileURLToPath(new URL("../engine", import.meta.url));

/** Processor threads for each of the ranks that share this machine. */
export function threadsPerRank(numRanks: number): number {
  return Math.max(1, Math.floor(availableParallelism() / numRanks));
}

export type RankExit = { exitCode: number | undefined; signal: string; logTail: string[] };

export type RankProcessOptions = {
  python: string;
  links: RankLinks;
  /** Where the output goes until an assignment names another file. */
  logPath: string;
  /** Processor threads for its computations. */
  numThreads: number;
  /** Imports everything before it asks for an assignment. */
  standby: boolean;
};

/** A rank as its group deals with it: a process, or in measurements what stands for one. */
export type RankHandle = {
  readonly link: Pick<RankLink, "listen" | "send" | "drained" | "isConnected">;
  readonly ended: Promise<RankExit>;
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  readonly logPath: string;
  assign(assignment: RankAssignment): void;
  signal(signal: NodeJS.Signals): void;
  kill(graceMs: number): void;
};

/**
 * One process of the engine: a rank, or one that stands by to become a rank. Its
 * output goes straight into its log file, so the agent copies nothing and a log
 * survives the agent.
 */
export class RankProcess implements RankHandle {
  readonly link: RankLink;
  /** Settles when the process has ended, or could not be started. */
  readonly ended: Promise<RankExit>;
  readonly #child: ChildProcess;
  #logPath: string;
  #running = true;

  constructor({ python, links, logPath, numThreads, standby }: RankProcessOptions) {
    const token = randomBytes(16).toString("hex");
    this.link = links.expect(token);
    this.#logPath = logPath;
    const log = openSync(logPath, "a");
    const args = ["-m", "moestro_engine", "--socket", links.path];
    this.#child = spawn(python, [...args, ...(standby ? ["--standby"] : [])], {
      stdio: ["ignore", log, log],
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
    closeSync(log);
    this.ended = new Promise<RankExit>((resolve) => {
      this.#child.once("error", (error) => resolve(this.#exit(127, null, error.message)));
      this.#child.once("exit", (code, signal) => resolve(this.#exit(code, signal)));
    });
    void this.ended.then(async () => {
      await this.link.drained();
      links.forget(token);
    });
  }

  /** Undefined if the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  get logPath(): string {
    return this.#logPath;
  }

  assign(assignment: RankAssignment): void {
    this.#logPath = assignment.logPath;
    this.link.send({ case: "assignment", value: assignment });
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#running) this.#child.kill(signal);
  }

  /** Asks the process to end, and ends it after `graceMs`; without any, at once. */
  kill(graceMs: number): void {
    if (!this.#running) return;
    if (graceMs <= 0) {
      this.#child.kill("SIGKILL");
      return;
    }
    this.#child.kill("SIGTERM");
    const force = setTimeout(() => this.#child.kill("SIGKILL"), graceMs);
    void this.ended.then(() => clearTimeout(force));
  }

  #exit(code: number | null, signal: string | null, problem?: string): RankExit {
    this.#running = false;
    const logTail = problem ? [problem] : tailOf(this.#logPath);
    return { exitCode: code ?? undefined, signal: signal ?? "", logTail };
  }
}
