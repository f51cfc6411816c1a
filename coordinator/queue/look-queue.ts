import { setTimeout as sleep } from "node:timers/promises";
import { isNotConnectionError, type Job, type JobsOptions, Queue, Worker } from "bullmq";
import { parseRedisUrl, type RedisAddress } from "../store/redis-address.ts";
import { connectRedis, RedisClient, reconnectDelayMs } from "../store/redis-client.ts";
import { redisKeys } from "../store/redis-keys.ts";

const QUEUE = "looks";
/** Runs looked at side by side. One run never is. */
const CONCURRENCY = 4;
/** A look that fails is tried again, over about a minute in all. */
const ATTEMPTS = 12;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 10_000;
/** How long a coordinator that died keeps its looks from being done by the next. */
const LOCK_MS = 3000;
/** How long `stop` waits for looks under way. */
const STOP_PATIENCE_MS = 2000;
/** Later looks at a run that are due within the same span are one. */
const SPAN_MS = 250;
/** A worker's connection that hears nothing for so long is dead; BullMQ waits 10 s at most. */
const SILENCE_MS = 15_000;

/** A look now, or one whose time has yet to come. */
type Name = "now" | "later";
type Look = { runId: string };

/** Looks at a run: short, idempotent. Aborted when this coordinator may not go on with it. */
export type LookHandler = (runId: string, signal: AbortSignal) => Promise<void>;

export type LookQueueOptions = {
  url: string;
  /** What all keys begin with, as the store's. */
  prefix?: string;
  /** Takes one line for each look that failed, or that was interrupted. */
  report: (line: string) => void;
  lockMs?: number;
};

/**
 * The actions "look at run r", carried by BullMQ. A look that was asked for is done at
 * least once after that, by whichever coordinator works; of one run, one at a time. Asked
 * for again while it waits, it is the same look; while it is under way, one more follows.
 */
export class LookQueue {
  readonly #options: LookQueueOptions;
  readonly #address: RedisAddress;
  readonly #prefix: string;
  readonly #client: RedisClient;
  readonly #queue: Queue<Look, void, Name>;
  #working: Working | undefined;

  private constructor(options: LookQueueOptions) {
    this.#options = options;
    this.#address = parseRedisUrl(options.url);
    this.#prefix = redisKeys(options.prefix).queue;
    this.#client = new RedisClient(this.#address, "queue");
    this.#queue = new Queue(QUEUE, { connection: this.#client.redis, prefix: this.#prefix });
    // The client tells of them where a command fails.
    this.#queue.on("error", () => {});
  }

  /** Throws MoestroError("environment") if Redis cannot be reached. */
  static async open(options: LookQueueOptions): Promise<LookQueue> {
    const queue = new LookQueue(options);
    try {
      await queue.#client.run(() => queue.#queue.waitUntilReady());
      return queue;
    } catch (error) {
      await queue.close();
      throw error;
    }
  }

  /** Asks for a look at a run, now, or in `delayMs` and a moment. */
  async look(runId: string, delayMs = 0): Promise<void> {
    if (delayMs <= 0) {
      await this.#add("now", runId, { deduplication: { id: runId, keepLastIfActive: true } });
      return;
    }
    const now = Date.now();
    const span = Math.ceil((now + delayMs) / SPAN_MS);
    const delay = span * SPAN_MS - now;
    await this.#add("later", runId, { delay, deduplication: { id: `${runId}@${span}` } });
  }

  /** Begins to do what is asked for. For the leader alone. */
  start(handler: LookHandler): void {
    if (this.#working) throw new Error("this coordinator looks at runs already");
    const abort = new AbortController();
    const redis = { isGivenUp: false };
    const connection = connectRedis(this.#address, "looks", {
      maxRetriesPerRequest: null,
      socketTimeout: SILENCE_MS,
      retryStrategy: (times) => (redis.isGivenUp ? null : reconnectDelayMs(times)),
    });
    const lockMs = this.#options.lockMs ?? LOCK_MS;
    const worker = new Worker<Look, void, Name>(
      QUEUE,
      // BullMQ gives the signal to functions of three parameters.
      async ({ name, data }, _token, signal) => {
        // Its time has come: from here on it is a look like others.
        if (name === "later") await this.look(data.runId);
        else await handler(data.runId, anyOf(abort.signal, signal));
      },
      {
        connection,
        prefix: this.#prefix,
        concurrency: CONCURRENCY,
        lockDuration: lockMs,
        stalledInterval: Math.ceil(lockMs / 3),
        // A look is done at last, however many coordinators die of it.
        maxStalledCount: Number.MAX_SAFE_INTEGER,
        runRetryDelay: FIRST_RETRY_MS,
        settings: { backoffStrategy: retryDelayMs },
      },
    );
    connection.on("error", () => {});
    worker.on("error", (error) => this.#reportTrouble(error));
    worker.on("failed", (job, error) => this.#reportFailed(job, error));
    this.#working = { worker, connection, abort, redis };
  }

  /** Looks at nothing more, and aborts looks under way. */
  async stop(): Promise<void> {
    const working = this.#working;
    this.#working = undefined;
    if (!working) return;
    working.abort.abort();
    const closed = working.worker.close();
    if (await isSettledIn(STOP_PATIENCE_MS, closed)) working.connection.disconnect();
    else {
      // A Redis that is away, or a look that does not end, must not keep this process.
      giveUp(working);
      await isSettledIn(STOP_PATIENCE_MS, closed);
    }
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#queue.close().catch(() => {});
    this.#client.close();
  }

  async #add(name: Name, runId: string, options: JobsOptions): Promise<void> {
    await this.#client.run(() =>
      this.#queue.add(
        name,
        { runId },
        {
          ...options,
          attempts: ATTEMPTS,
          backoff: { type: "custom" },
          removeOnComplete: true,
          removeOnFail: true,
        },
      ),
    );
  }

  /** A lost lock, say. Redis that is away is for those to tell who need it. */
  #reportTrouble(error: Error): void {
    if (isNotConnectionError(error)) this.#options.report(`looking at runs: ${error.message}`);
  }

  #reportFailed(job: Job<Look, void, Name> | undefined, error: Error): void {
    if (!job) return;
    const { runId } = job.data;
    const times = `attempt ${job.attemptsMade} of ${ATTEMPTS}`;
    this.#options.report(`run ${runId}: could not be looked at (${times}): ${error.message}`);
  }
}

type Working = {
  worker: Worker<Look, void, Name>;
  connection: ReturnType<typeof connectRedis>;
  abort: AbortController;
  redis: { isGivenUp: boolean };
};

/** Breaks a worker's connections, so that whatever waits for them fails. */
function giveUp({ worker, connection, redis }: Working): void {
  redis.isGivenUp = true;
  // One that waits for its next try to connect finds that there is none.
  const end = (client: { status: string; disconnect(): void }) => {
    if (client.status !== "reconnecting") client.disconnect();
  };
  end(connection);
  void worker.backend.blockingClient?.then(end, () => {});
}

async function isSettledIn(patienceMs: number, promise: Promise<void>): Promise<boolean> {
  const patience = new AbortController();
  const late = sleep(patienceMs, false, patience).catch(() => true);
  const isSettled = await Promise.race([promise.then(() => true), late]);
  patience.abort();
  return isSettled;
}

/** How long after its n-th failure a look is tried again. */
function retryDelayMs(numFailures: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** (numFailures - 1), LONGEST_RETRY_MS);
}

function anyOf(signal: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  return other ? AbortSignal.any([signal, other]) : signal;
}
