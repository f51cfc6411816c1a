import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, timingSafeEqual } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter } from "node:path";
import { fileURLToPath } from "node:url";

/** Lines of a rank's log that go with the news of its end. */
const TAIL_LINES = 50;
const TAIL_BYTES = 64 * 1024;
const ENGINE = fileURLToPath(new URL("../engine", import.meta.url));

/** Processor threads for each of the ranks that share this machine. */
export function threadsPerRank(numRanks: number): number {
  return Math.max(1, Math.floor(availableParallelism() / numRanks));
}

export type RankExit = { exitCode: number | undefined; signal: string; logTail: string[] };

export type RankProcessOptions = {
  python: string;
  rank: number;
  socketPath: string;
  logPath: string;
  numThreads: number;
};

/**
 * One rank's process. Its output goes straight into its log file, so the agent
 * copies nothing and a log survives the agent.
 */
export class RankProcess {
  readonly rank: number;
  /** Settles when the process has ended, or could not be started. */
  readonly ended: Promise<RankExit>;
  readonly #child: ChildProcess;
  readonly #logPath: string;
  readonly #token = Buffer.from(randomBytes(16).toString("hex"));
  #running = true;

  constructor(options: RankProcessOptions) {
    this.rank = options.rank;
    this.#logPath = options.logPath;
    const log = openSync(options.logPath, "a");
    const args = ["-m", "moestro_engine", "--socket", options.socketPath];
    this.#child = spawn(options.python, [...args, "--rank", String(options.rank)], {
      stdio: ["ignore", log, log],
      env: {
        ...process.env,
        PYTHONPATH: [ENGINE, process.env.PYTHONPATH].filter(Boolean).join(delimiter),
        MOESTRO_RANK_TOKEN: this.#token.toString(),
        PYTHONUNBUFFERED: "1",
        OMP_NUM_THREADS: String(options.numThreads),
      },
    });
    closeSync(log);
    this.ended = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve(this.#exit(127, null, error.message)));
      this.#child.once("exit", (code, signal) => resolve(this.#exit(code, signal)));
    });
  }

  /** Undefined if the process could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether a process that connects knows the secret this one was given. */
  isToken(token: string): boolean {
    const given = Buffer.from(token);
    return given.length === this.#token.length && timingSafeEqual(given, this.#token);
  }

  /** Asks the process to end, and ends it after `graceMs`. */
  kill(graceMs: number): void {
    if (!this.#running) return;
    this.#child.kill("SIGTERM");
    const force = setTimeout(() => this.#child.kill("SIGKILL"), graceMs);
    void this.ended.then(() => clearTimeout(force));
  }

  #exit(code: number | null, signal: string | null, problem?: string): RankExit {
    this.#running = false;
    const logTail = problem ? [problem] : tail(this.#logPath);
    return { exitCode: code ?? undefined, signal: signal ?? "", logTail };
  }
}

function tail(path: string): string[] {
  try {
    const file = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(Math.min(fstatSync(file).size, TAIL_BYTES));
      readSync(file, bytes, 0, bytes.length, fstatSync(file).size - bytes.length);
      return bytes.toString("utf8").trimEnd().split("\n").slice(-TAIL_LINES);
    } finally {
      closeSync(file);
    }
  } catch {
    return [];
  }
}
