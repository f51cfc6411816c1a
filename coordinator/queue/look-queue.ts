import { setTimeout as sleep } from "node:timers/promises";
import { isNotConnectionError, type Job, Queue, Worker } from "bullmq";
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
/** A worker's connection that hears nothing for so long is dead; BullMQ waits 10 s at most. */
const SILENCE_MS = 15_000;

const NAME = "look";
type Look = { runId: string };
type LookJob = Job<Look, void, typeof NAME>;

/** Looks at a run: short, idempotent. */
export type LookHandler = (runId: string) => Promise<void>;

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
  readonly #queue: Queue<Look, void, typeof NAME>;
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

  /** Asks for a look at a run. */
  async look(runId: string): Promise<void> {
    await this.#client.run(() =>
      this.#queue.add(
        NAME,
        { runId },
        {
          deduplication: { id: runId, keepLastIfActive: true },
          attempts: ATTEMPTS,
          backoff: { type: "custom" },
          removeOnComplete: true,
          removeOnFail: true,
        },
      ),
    );
  }

  /** Begins to do what is asked for. For the leader alone. */
  start(handler: LookHandler): void {
    if (this.#working) throw new Error("this coordinator looks at runs already");
    const redis = { isGivenUp: false };
    const connection = connectRedis(this.#address, "looks", {
      maxRetriesPerRequest: null,
      socketTimeout: SILENCE_MS,
      retryStrategy: (times) => (redis.isGivenUp ? null : reconnectDelayMs(times)),
    });
    const lockMs = this.#options.lockMs ?? LOCK_MS;
    const worker = new Worker<Look, void, typeof NAME>(QUEUE, ({ data }) => handler(data.runId), {
      connection,
      prefix: this.#prefix,
      concurrency: CONCURRENCY,
      lockDuration: lockMs,
      stalledInterval: Math.ceil(lockMs / 3),
      // A look is done at last, however many coordinators die of it.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      runRetryDelay: FIRST_RETRY_MS,
      settings: { backoffStrategy: retryDelayMs },
    });
    connection.on("error", () => {});
    worker.on("error", (error) => this.#reportTrouble(error));
    worker.on("failed", (job, error) => this.#reportFailed(job, error));
    this.#working = { worker, connection, redis };
  }

  /** Looks at nothing more; looks under way may end. */
  async stop(): Promise<void> {
    const working = this.#working;
    this.#working = undefined;
    if (!working) return;
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

  /** A lost lock, say. Redis that is away is for those to tell who need it. */
  #reportTrouble(error: Error): void {
    if (isNotConnectionError(error)) this.#options.report(`looking at runs: ${error.message}`);
  }

  #reportFailed(job: LookJob | undefined, error: Error): void {
    if (!job) return;
    const { runId } = job.data;
    const times = `attempt ${job.attemptsMade} of ${ATTEMPTS}`;
    this.#options.report(`run ${runId}: could not be looked at (${times}): ${error.message}`);
  }
}

type Working = {
  worker: Worker<Look, void, typeof NAME>;
  connection: ReturnType<typeof connectRedis>;
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
