import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Lines of a rank's log that go with the news of its end. */
const TAIL_LINES = 50;
const ENGINE = fileURLToPath(new URL("../engine", import.meta.url));

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
        PYTHONPATH: ENGINE,
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

  /** Zero if the process could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0;
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
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-TAIL_LINES);
  } catch {
    return [];
  }
}
