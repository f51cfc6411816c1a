import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MoestroError } from "../errors.ts";
import { replaceFile } from "../run/files.ts";
import { holderOf, isAlive } from "./holder.ts";
import type { Holder } from "./store.ts";

const BINARY = "redis-server";

/** The redis-server process of a folder: one that lives there, or one to be started. */
export class RedisProcess {
  readonly logPath: string;
  readonly #directory: string;
  readonly #recordPath: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.#recordPath = join(directory, "server.json");
    this.logPath = join(directory, "redis.log");
  }

  /** Whether the server started last still lives, whoever started it. */
  isAlive(): boolean {
    const server = this.#recorded();
    return server !== undefined && isAlive(server);
  }

  /** Starts a server that outlives this process. Only if none lives: two would share a file. */
  async start(socket: string): Promise<void> {
    const log = openSync(this.logPath, "a", 0o600);
    const child = spawn(BINARY, this.#options(socket), {
      cwd: this.#directory,
      stdio: ["ignore", log, log],
      // Neither Ctrl-C in a terminal nor the end of this process is for it.
      detached: true,
    });
    closeSync(log);
    const server = child.pid === undefined ? undefined : holderOf(child.pid);
    // Before anything else happens: whoever comes next must know of it.
    if (server) replaceFile(this.#recordPath, `${JSON.stringify(server)}\n`);
    child.unref();
    await hasSpawned(child);
  }

  /** Sends the server a signal, if it lives. */
  signal(signal: NodeJS.Signals): void {
    const server = this.#recorded();
    if (server && isAlive(server)) process.kill(server.pid, signal);
  }

  /** What a server that did not come up said last. */
  lastWords(): string {
    try {
      return readFileSync(this.logPath, "utf8").trimEnd().split("\n").at(-1) ?? "";
    } catch {
      return "";
    }
  }

  #recorded(): Holder | undefined {
    try {
      return JSON.parse(readFileSync(this.#recordPath, "utf8")) as Holder;
    } catch {
      // None was started here, or the disk was full when it was.
      return undefined;
    }
  }

  #options(socket: string): string[] {
    return [
      ...["--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"],
      ...["--dir", this.#directory, "--databases", "1", "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"],
    ];
  }
}

function hasSpawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", ({ code, message }: NodeJS.ErrnoException) => {
      const what = code === "ENOENT" ? "not found on this machine" : message;
      reject(
        new MoestroError(
          "environment",
          `${BINARY}: ${what}; install it (apt-get install redis-server) or give --redis URL`,
        ),
      );
    });
  });
}
