import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/** How a container ended. */
export type Ending = { exitCode: number; signal?: number };

export type Running = {
  /** Undefined once it has ended. */
  pid: number | undefined;
  ended: Promise<Ending>;
  /** Sends a signal to the process and its children. */
  signal(name: NodeJS.Signals): void;
};

const SIGNALS: { [name: string]: number } = { SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };

/** Starts a container's command as a process of its own group, with its output in a file. */
export function startContainer(
  argv: readonly string[],
  options: { environment: { [name: string]: string }; workingDirectory: string; logFile: string },
): Running {
  const [command = "", ...args] = argv;
  const log = openSync(options.logFile, "a");
  const child: ChildProcess = spawn(command, args, {
    cwd: options.workingDirectory,
    env: { PATH: process.env.PATH ?? "", HOME: options.workingDirectory, ...options.environment },
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  let hasEnded = false;
  const ended = new Promise<Ending>((resolve) => {
    // As a container runtime has it: a command that cannot be started ends with 128.
    child.once("error", () => resolve({ exitCode: 128 }));
    child.once("exit", (code, signal) => {
      const number = signal === null ? undefined : (SIGNALS[signal] ?? 1);
      resolve(
        number === undefined ? { exitCode: code ?? 0 } : { exitCode: 128 + number, signal: number },
      );
    });
  });
  void ended.then(() => {
    hasEnded = true;
  });
  return {
    get pid() {
      return hasEnded ? undefined : child.pid;
    },
    ended,
    signal(name) {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, name);
      } catch {
        // Nobody of the group is left.
      }
    },
  };
}
