import { isEnded } from "../run/run-state.ts";
import { leaseLost, runExists, runMissing } from "./lease-errors.ts";
import { parseRedisUrl } from "./redis-address.ts";
import { RedisClient, type Script, type ScriptValue } from "./redis-client.ts";
import { type RedisKeys, redisKeys } from "./redis-keys.ts";
import { RedisLeases } from "./redis-leases.ts";
import { checkRedis } from "./redis-requirements.ts";
import { endedFlag, insertion, runOfHash, wishOfReply } from "./redis-run.ts";
import * as scripts from "./redis-scripts.ts";
import { NEW_LIFE } from "./run-record.ts";
import type {
  Held,
  Holder,
  RunLife,
  RunSpec,
  RunWish,
  Store,
  StoredRun,
  StoredToken,
} from "./store.ts";

/** Runs read in one go, so that no reply keeps other commands waiting for long. */
const RUNS_A_READ = 250;
/** How long a status is kept that nobody replaced. */
const STATUS_TTL_MS = 24 * 3600 * 1000;

export type RedisStoreOptions = {
  /** What all keys begin with. */
  prefix?: string;
};

export type OpenedRedisStore = {
  store: Store;
  /** Lines for the person: in which ways this server may lose runs. */
  warnings: string[];
};

/**
 * The store that coordinators share. Fails with MoestroError("environment") if the
 * server cannot be reached, is too old, or may evict runs.
 */
export async function openRedisStore(
  url: string,
  options: RedisStoreOptions = {},
): Promise<OpenedRedisStore> {
  const client = new RedisClient(parseRedisUrl(url), "store");
  try {
    const warnings = await checkRedis(client);
    return { store: new RedisStore(client, redisKeys(options.prefix)), warnings };
  } catch (error) {
    client.close();
    throw error;
  }
}

class RedisStore implements Store {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #leases: RedisLeases;

  constructor(client: RedisClient, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys;
    this.#leases = new RedisLeases(client, keys);
  }

  acquire(lease: string, holder: Holder, ttlMs: number): Promise<Held> {
    return this.#leases.acquire(lease, holder, ttlMs);
  }

  renew(held: Held, ttlMs: number): Promise<boolean> {
    return this.#leases.renew(held, ttlMs);
  }

  release(held: Held): Promise<void> {
    return this.#leases.release(held);
  }

  announce(held: Held, address: string): Promise<void> {
    return this.#leases.announce(held, address);
  }

  announced(lease: string): Promise<string | undefined> {
    return this.#leases.announced(lease);
  }

  async create(runId: string, spec: RunSpec, wish: RunWish): Promise<void> {
    const run = { runId, spec, wish, life: NEW_LIFE, generation: 0 };
    const keys = this.#runKeys(runId, "");
    const reply = await this.#script(scripts.CREATE, keys, "", ...insertion(run));
    if (reply !== 1) throw runExists(runId);
  }

  async get(runId: string): Promise<StoredRun | undefined> {
    const [run] = await this.#read([runId]);
    return run;
  }

  async active(): Promise<StoredRun[]> {
    const ids = await this.#client.run((redis) => redis.zrange(this.#keys.active, "0", "-1"));
    // A run may have ended since its id was read.
    return (await this.#read(ids)).filter(({ life }) => !isEnded(life.state));
  }

  async ended(limit: number): Promise<StoredRun[]> {
    if (limit <= 0) return [];
    const last = limit - 1;
    const ids = await this.#client.run((redis) => redis.zrevrange(this.#keys.ended, 0, last));
    return (await this.#read(ids)).filter(({ life }) => isEnded(life.state));
  }

  async dropEnded(keep: number, held: Held): Promise<number> {
    const { ended } = this.#keys;
    let numDropped = 0;
    for (;;) {
      // The first to end, but never one of the last `keep`.
      const excess = (await this.#client.run((redis) => redis.zcard(ended))) - keep;
      if (excess <= 0) return numDropped;
      const last = Math.min(excess, RUNS_A_READ) - 1;
      const ids = await this.#client.run((redis) => redis.zrange(ended, "0", `${last}`));
      const runs = ids.flatMap((id) => [this.#keys.run(id), this.#keys.status(id)]);
      const keys = [this.#keys.lease(held.lease), ended, ...runs];
      numDropped += Number(await this.#fenced(scripts.DROP_ENDED, "", held, keys, ids));
    }
  }

  async wish(runId: string, change: Partial<RunWish>): Promise<RunWish | undefined> {
    const fields = Object.entries(change).filter(([, value]) => value !== undefined);
    const keys = [this.#keys.run(runId)];
    return wishOfReply(await this.#script(scripts.CHANGE_WISH, keys, ...fields.flat()));
  }

  async wishCheckpoint(runId: string): Promise<RunWish | undefined> {
    return wishOfReply(await this.#script(scripts.COUNT_CHECKPOINT, [this.#keys.run(runId)]));
  }

  async setLife(runId: string, held: Held, life: RunLife): Promise<void> {
    const values = [runId, endedFlag(life), JSON.stringify(life)];
    const keys = this.#runKeys(runId, held.lease);
    await this.#fenced(scripts.SET_LIFE, runId, held, keys, values);
  }

  async nextGeneration(runId: string, held: Held): Promise<number> {
    const keys = this.#runKeys(runId, held.lease).slice(0, 2);
    return Number(await this.#fenced(scripts.NEXT_GENERATION, runId, held, keys, []));
  }

  async restore(run: StoredRun, held: Held): Promise<boolean> {
    const keys = this.#runKeys(run.runId, held.lease);
    const values = insertion(run);
    return (await this.#fenced(scripts.RESTORE, run.runId, held, keys, values)) === 1;
  }

  async setStatus(runId: string, held: Held, status: Uint8Array): Promise<void> {
    const keys = [this.#keys.lease(held.lease), this.#keys.status(runId)];
    const values = [Buffer.from(status), STATUS_TTL_MS];
    await this.#fenced(scripts.SET_STATUS, runId, held, keys, values);
  }

  async status(runId: string): Promise<Uint8Array | undefined> {
    const key = this.#keys.status(runId);
    const status = await this.#client.run((redis) => redis.getBuffer(key));
    return status ?? undefined;
  }

  async addToken(token: StoredToken): Promise<void> {
    const text = JSON.stringify(token);
    await this.#client.run((redis) => redis.hset(this.#keys.tokens, token.id, text));
  }

  async takeToken(id: string): Promise<StoredToken | undefined> {
    const text = await this.#script(scripts.TAKE_TOKEN, [this.#keys.tokens], id);
    return text ? JSON.parse(String(text)) : undefined;
  }

  async tokens(): Promise<StoredToken[]> {
    const texts = await this.#client.run((redis) => redis.hvals(this.#keys.tokens));
    const tokens = texts.map((text): StoredToken => JSON.parse(text));
    return tokens.sort((a, b) => a.createdAtMs - b.createdAtMs);
  }

  async setDrained(agentId: string, drained: boolean): Promise<void> {
    const key = this.#keys.drained;
    await this.#client.run((redis) =>
      drained ? redis.sadd(key, agentId) : redis.srem(key, agentId),
    );
  }

  async drained(): Promise<string[]> {
    return (await this.#client.run((redis) => redis.smembers(this.#keys.drained))).sort();
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  #script(script: Script, keys: string[], ...values: ScriptValue[]) {
    return this.#client.script(script, keys, ...values);
  }

  /** A script that writes under a lease. */
  async #fenced(
    script: Script,
    runId: string,
    held: Held,
    keys: string[],
    values: ScriptValue[],
  ): Promise<unknown> {
    const reply = await this.#script(script, keys, held.epoch, ...values);
    if (reply === "fenced") throw leaseLost(held);
    if (reply === "missing") throw runMissing(`Redis at ${this.#client.label}`, runId);
    if (reply === "lost") throw this.#leases.lost(held);
    return reply;
  }

  #runKeys(runId: string, lease: string): string[] {
    const { active, ended, sequence } = this.#keys;
    return [this.#keys.lease(lease), this.#keys.run(runId), active, ended, sequence];
  }

  /** Those of the runs that there are. */
  async #read(ids: readonly string[]): Promise<StoredRun[]> {
    const runs: StoredRun[] = [];
    for (let first = 0; first < ids.length; first += RUNS_A_READ) {
      const some = ids.slice(first, first + RUNS_A_READ);
      const records = await this.#client.run((redis) =>
        Promise.all(some.map((id) => redis.hgetall(this.#keys.run(id)))),
      );
      for (const [index, record] of records.entries()) {
        const run = runOfHash(some[index] ?? "", record);
        if (run) runs.push(run);
      }
    }
    return runs;
  }
}
