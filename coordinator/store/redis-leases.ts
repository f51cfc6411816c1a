import { MoestroError } from "../errors.ts";
import { leaseInUse } from "./lease-errors.ts";
import type { RedisClient } from "./redis-client.ts";
import type { RedisKeys } from "./redis-keys.ts";
import { ACQUIRE, ANNOUNCE, RELEASE, RENEW } from "./redis-scripts.ts";
import type { Held, Holder } from "./store.ts";

/** The leases that one store holds, or tries to. */
export class RedisLeases {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  /** By lease, for the server that loses them. */
  readonly #holders = new Map<string, Holder>();
  /** Leases that there have been. */
  readonly #seen = new Set<string>();
  /** Leases that were asked for last when there was no answer. */
  readonly #unanswered = new Set<string>();
  /** How far the server's clock is ahead of this process's, once it is known. */
  #aheadMs: number | undefined;

  constructor(client: RedisClient, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  async acquire(lease: string, holder: Holder, ttlMs: number): Promise<Held> {
    let [outcome, number] = await this.#claim(lease, holder, ttlMs);
    // Somebody set a clock; now it is known.
    if (outcome === "late") [outcome, number] = await this.#claim(lease, holder, ttlMs);
    if (outcome !== "held") throw leaseInUse(lease, number || undefined);
    this.#holders.set(lease, holder);
    return { lease, epoch: number };
  }

  async renew({ lease, epoch }: Held, ttlMs: number): Promise<boolean> {
    const { pid, startedAt } = this.#holders.get(lease) ?? { pid: 0, startedAt: "" };
    return (await this.#run(RENEW, lease, epoch, pid, startedAt, ttlMs)) === 1;
  }

  async release({ lease, epoch }: Held): Promise<void> {
    await this.#run(RELEASE, lease, epoch);
  }

  async announce({ lease, epoch }: Held, address: string): Promise<void> {
    await this.#run(ANNOUNCE, lease, epoch, address);
  }

  async announced(lease: string): Promise<string | undefined> {
    const key = this.#keys.lease(lease);
    return (await this.#client.run((redis) => redis.hget(key, "address"))) ?? undefined;
  }

  /**
   * The lease's own data is gone, which is not to say that somebody else has it:
   * renewing brings it back.
   */
  lost({ lease }: Held): MoestroError {
    return new MoestroError(
      "environment",
      `Redis at ${this.#client.label}: the lease ${lease} is not in the store; if it was emptied, its leader puts back what it knows`,
    );
  }

  async #claim(lease: string, { pid, startedAt }: Holder, ttlMs: number) {
    const [isSeen, wasAway] = [this.#seen.has(lease), this.#unanswered.has(lease)].map(Number);
    const sent = this.#aheadMs === undefined ? "" : Math.round(performance.now() + this.#aheadMs);
    const values = [pid, startedAt, ttlMs, isSeen ?? 0, wasAway ?? 0, sent];
    this.#unanswered.add(lease);
    const reply = (await this.#run(ACQUIRE, lease, ...values)) as [string, string, string];
    this.#unanswered.delete(lease);
    this.#seen.add(lease);
    const [outcome, number, now] = reply;
    this.#aheadMs = Number(now) - performance.now();
    return [outcome, Number(number)] as const;
  }

  #run(script: typeof ACQUIRE, lease: string, ...values: (string | number)[]): Promise<unknown> {
    return this.#client.script(script, [this.#keys.lease(lease)], ...values);
  }
}
