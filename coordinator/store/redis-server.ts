import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { MoestroError } from "../errors.ts";
import { ensureDirectory } from "../state-directory.ts";
import { withFileLock } from "./file-lock.ts";
import { parseRedisUrl } from "./redis-address.ts";
import { RedisClient } from "./redis-client.ts";
import { RedisProcess } from "./redis-process.ts";
import { serverState, socketPath } from "./redis-socket.ts";

const POLL_MS = 20;
const GUARD_INTERVAL_MS = 1000;
/** How long a server may take to answer; reading a large file, how long in all. */
const START_PATIENCE_MS = 10_000;
const LOADING_PATIENCE_MS = 120_000;
/** How long closed connections may be listed, on a machine that is busy too. */
const LINGER_MS = 2000;
/** How long a server that was told to end may live. */
const SHUTDOWN_PATIENCE_MS = 5000;

/**
 * The coordinators' own redis-server, in `<state directory>/redis`: reached by a Unix
 * socket alone, with every write on disk before it is answered. It outlives a coordinator
 * that is killed; the next one on the same state directory goes on with it.
 */
export class PrivateRedis {
  /** For `openRedisStore` and `LookQueue`. */
  readonly url: string;
  readonly #directory: string;
  readonly #socket: string;
  readonly #process: RedisProcess;
  /** Shows the server that this coordinator uses it. */
  #guard: RedisClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#socket = socketPath(directory);
    this.#process = new RedisProcess(directory);
    this.url = `unix://${pathToFileURL(this.#socket).pathname}`;
  }

  /** Finds the server of this state directory, or starts it. */
  static async open(stateDirectory: string): Promise<PrivateRedis> {
    const server = new PrivateRedis(ensureDirectory(join(stateDirectory, "redis")));
    await server.#alone(async () => {
      await server.#ensureRunning();
      server.#guard = new RedisClient(parseRedisUrl(server.url), "guard");
      await server.#guard.run((redis) => redis.ping());
    });
    return server;
  }

  /** Starts the server again whenever it has died, until `close`. */
  keepAlive(tell: (line: string) => void): void {
    let failure = "";
    const look = async () => {
      if (this.#isClosed || (await serverState(this.#socket)) !== "down") return;
      try {
        await this.#alone(() => this.#ensureRunning());
        failure = "";
        tell("redis-server had died and runs again, on the same data");
      } catch (error) {
        const { message } = error as Error;
        if (message !== failure) tell(message);
        failure = message;
      }
    };
    const guard = () => {
      this.#looking ??= look().finally(() => {
        this.#looking = undefined;
      });
    };
    this.#timer = setInterval(guard, GUARD_INTERVAL_MS).unref();
    // Most deaths are known at once.
    this.#guard?.redis.on("close", guard);
  }

  /** Ends the server if nobody else uses it. Close the store and the queue first. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#looking;
    const guard = this.#guard;
    if (!guard) return;
    try {
      await this.#alone(async () => {
        if (await isUsedByOthers(guard)) return;
        // The answer to this is the end of the connection.
        await guard.redis.shutdown("NOSAVE").catch(() => {});
        const deadline = performance.now() + SHUTDOWN_PATIENCE_MS;
        while (this.#process.isAlive() && performance.now() < deadline) await sleep(POLL_MS);
      });
    } catch (error) {
      // A server that does not answer is left to whoever comes next.
      if (!(error instanceof MoestroError)) throw error;
    } finally {
      guard.close();
    }
  }

  /** While no other coordinator starts or ends the server. */
  #alone<T>(body: () => Promise<T>): Promise<T> {
    const patienceMs = START_PATIENCE_MS + LOADING_PATIENCE_MS;
    return withFileLock(join(this.#directory, "lock"), patienceMs, body);
  }

  async #ensureRunning(): Promise<void> {
    const start = performance.now();
    let isStarted = false;
    for (;;) {
      const state = await serverState(this.#socket);
      if (state === "up") return;
      if (state === "down" && !this.#process.isAlive()) {
        if (isStarted) throw this.#failed("ended at once");
        await this.#process.start(this.#socket);
        isStarted = true;
      }
      const patienceMs = state === "loading" ? LOADING_PATIENCE_MS : START_PATIENCE_MS;
      if (performance.now() - start > patienceMs) {
        throw this.#failed(`gives no answer at ${this.#socket}`);
      }
      await sleep(POLL_MS);
    }
  }

  #failed(what: string): MoestroError {
    const { logPath } = this.#process;
    return new MoestroError(
      "environment",
      `redis-server ${what}: ${this.#process.lastWords()}; see ${logPath}, or give --redis URL`,
    );
  }
}

async function isUsedByOthers(guard: RedisClient): Promise<boolean> {
  const deadline = performance.now() + LINGER_MS;
  for (;;) {
    const list = String(await guard.run((redis) => redis.client("LIST")));
    if (list.trim().split("\n").length <= 1) return false;
    if (performance.now() > deadline) return true;
    await sleep(POLL_MS);
  }
}
