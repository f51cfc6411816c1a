import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";

/** A process that runs until it is told to end, with its output in a file. */
export class Daemon {
  /** Settles with the exit code, or the signal's name, when it has ended. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  readonly #logPath: string;

  constructor(command: readonly string[], env: NodeJS.ProcessEnv, cwd: string, logPath: string) {
    const [program = "", ...args] = command;
    const log = openSync(logPath, "a");
    this.#child = spawn(program, args, { cwd, env, stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    this.#logPath = logPath;
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("exit", (code, signal) => resolve(code ?? signal ?? "nothing"));
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#logPath}: it did not start`);
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) process.kill(this.pid, signal);
  }

  /** Ends it with the signal and waits until it has. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.signal(signal);
    await this.ended;
  }

  /** What it has written since it, or one before it at the same file, began. */
  get log(): string {
    return readFileSync(this.#logPath, "utf8");
  }
}
