import { Redis, type RedisOptions } from "ioredis";
import { MoestroError } from "../errors.ts";
import type { RedisAddress } from "./redis-address.ts";

/** How long a command may wait for a connection, and how long for its reply. */
const PATIENCE_MS = 1500;
/** A connection that owes replies and brings nothing for so long is dead, and made anew. */
const SILENCE_MS = 5000;

/** A Lua script that runs as one atomic step. */
export type Script = { lua: string; sha1: string };

export type ScriptValue = string | number | Buffer;

/**
 * A connection that comes back by itself and whose commands never hang: each is sent
 * once, on a living connection, or fails with MoestroError("environment").
 */
export class RedisClient {
  readonly label: string;
  readonly redis: Redis;
  #lastError: Error | undefined;
  #waiting: Promise<void> | undefined;

  constructor(address: RedisAddress, name: string) {
    this.label = address.label;
    this.redis = connectRedis(address, name, {
      commandTimeout: PATIENCE_MS,
      socketTimeout: SILENCE_MS,
      // A command that was given up must not be carried out later.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
    });
    this.redis.on("error", (error) => {
      this.#lastError = error;
    });
    this.redis.on("ready", () => {
      this.#lastError = undefined;
    });
  }

  /** Runs commands once there is a connection; what Redis says is told to a person. */
  async run<T>(body: (redis: Redis) => Promise<T>): Promise<T> {
    try {
      await this.#ready();
      return await body(this.redis);
    } catch (error) {
      throw redisError(this.label, error, this.#lastError);
    }
  }

  /** Runs a script; it is sent whole only where the server does not know it yet. */
  script(script: Script, keys: string[], ...values: ScriptValue[]): Promise<unknown> {
    return this.run(async (redis) => {
      try {
        return await redis.evalsha(script.sha1, keys.length, ...keys, ...values);
      } catch (error) {
        if (!(error as Error).message.startsWith("NOSCRIPT")) throw error;
        return await redis.eval(script.lua, keys.length, ...keys, ...values);
      }
    });
  }

  close(): void {
    this.redis.disconnect();
  }

  /** Waits for a living connection, a while; all commands that wait do so together. */
  #ready(): Promise<void> {
    // A connection that broke is ready by name for a moment longer.
    if (this.redis.status === "ready" && this.redis.stream.writable) return Promise.resolve();
    this.#waiting ??= this.#nextReady().finally(() => {
      this.#waiting = undefined;
    });
    return this.#waiting;
  }

  async #nextReady(): Promise<void> {
    const { redis } = this;
    const closed = () => new Error("the connection was closed");
    if (redis.status === "end") throw closed();
    const outcome = Promise.withResolvers<void>();
    const isReady = () => outcome.resolve();
    const hasEnded = () => outcome.reject(closed());
    const timer = setTimeout(
      () => outcome.reject(new Error(`no connection within ${PATIENCE_MS} ms`)),
      PATIENCE_MS,
    );
    redis.on("ready", isReady).on("end", hasEnded);
    try {
      await outcome.promise;
    } finally {
      clearTimeout(timer);
      redis.off("ready", isReady).off("end", hasEnded);
    }
  }
}

/** A connection that comes back by itself; its name shows in CLIENT LIST. */
export function connectRedis(address: RedisAddress, name: string, options: RedisOptions): Redis {
  return new Redis({
    connectionName: `moestro-${name}-${process.pid}`,
    connectTimeout: 5000,
    retryStrategy: reconnectDelayMs,
    ...address.options,
    ...options,
    replyMapping: "legacy",
  });
}

/** How long after its n-th failure a connection is tried again. */
export function reconnectDelayMs(numFailures: number): number {
  return Math.min(25 * 2 ** numFailures, 500);
}

/** What Redis or the way to it says, in one line. */
export function redisError(label: string, error: unknown, cause?: Error): unknown {
  if (error instanceof MoestroError || !(error instanceof Error)) return error;
  const said = [error, cause].flatMap((one) => (one ? [phrase(one)] : []));
  return new MoestroError(
    "environment",
    `Redis at ${label}: ${[...new Set(said)].join(": ")}; check that it runs, can be reached and lets moestro in`,
  );
}

function phrase(error: Error): string {
  if (error.name === "MaxRetriesPerRequestError") return "the connection broke";
  if (error.message === "Command timed out") return `no answer within ${PATIENCE_MS} ms`;
  // A refused connection that tried two addresses has a code and no message.
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
