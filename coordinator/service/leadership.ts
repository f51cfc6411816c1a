import { MoestroError } from "../errors.ts";
import type { Held, Holder, Store } from "../store/store.ts";

export const LEADER_LEASE = "leader";
/** After a leader's death the next one leads within this and a look. */
const TTL_MS = 2500;
const RENEW_MS = 800;
const LOOK_MS = 300;

export type LeadershipOptions = {
  store: Pick<Store, "acquire" | "renew" | "release" | "announce" | "announced">;
  holder: Holder;
  /** host:port where this coordinator serves. */
  address: string;
  /** This coordinator leads from now on. */
  gained(held: Held): Promise<void>;
  /** Another one leads, or may: nothing more is to be decided here. */
  lost(reason: string): void;
  /** The store has lost its data: what is known here is to be put back. */
  storeEmptied(): Promise<void>;
  /** The store is out of reach, or is there again. */
  storeReachable(reachable: boolean, why: string): void;
};

/**
 * One coordinator of several leads, by a lease. While the store is out of reach nobody
 * can take the lease over, and this one waits: it decides nothing, and goes on under the
 * same epoch if the lease is still its own afterwards.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  #held: Held | undefined;
  /** Of a monotonic clock: this process may have been stopped meanwhile. */
  #validUntilMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #running = Promise.resolve();
  #isReachable = true;
  #leader: string | undefined;
  #stopped = false;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  start(): void {
    this.#schedule(0);
  }

  /** The lease while it certainly holds. */
  get held(): Held | undefined {
    return performance.now() < this.#validUntilMs ? this.#held : undefined;
  }

  /** Where the leader serves, as far as it is known. */
  get leader(): string | undefined {
    return this.#leader;
  }

  /** Gives the lease up, so that the next one need not wait for its end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    const held = this.#held;
    this.#held = undefined;
    this.#validUntilMs = 0;
    if (held) await this.#options.store.release(held).catch(() => {});
  }

  /** Somebody has seen a leader of a later epoch, or says so: the store knows, and is asked now. */
  overtaken(): void {
    if (!this.#held || !this.#timer) return;
    clearTimeout(this.#timer);
    this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#look().then((nextMs) => this.#schedule(nextMs));
    }, delayMs);
  }

  /** Returns when to look again. */
  async #look(): Promise<number> {
    const askedAtMs = performance.now();
    try {
      if (this.#held) await this.#renew(this.#held, askedAtMs);
      else await this.#acquire(askedAtMs);
      this.#reachable(true, "");
    } catch (error) {
      if (!(error instanceof MoestroError)) throw error;
      const isHeld = error.code === "in_use";
      this.#reachable(isHeld, error.message);
      if (isHeld) this.#leader = await this.#announced();
    }
    return this.#held ? RENEW_MS : LOOK_MS;
  }

  #announced(): Promise<string | undefined> {
    return this.#options.store.announced(LEADER_LEASE).catch(() => undefined);
  }

  async #acquire(askedAtMs: number): Promise<void> {
    const held = await this.#options.store.acquire(LEADER_LEASE, this.#options.holder, TTL_MS);
    this.#held = held;
    this.#validUntilMs = askedAtMs + TTL_MS;
    this.#leader = this.#options.address;
    await this.#options.store.announce(held, this.#options.address);
    // Beside renewing: there may be thousands of runs to take over.
    this.#options.gained(held).catch((error: Error) => {
      if (this.#held !== held) return;
      this.#lose(`its runs could not be taken over: ${error.message}`);
      void this.#options.store.release(held).catch(() => {});
    });
  }

  async #renew(held: Held, askedAtMs: number): Promise<void> {
    const { store, address, storeEmptied } = this.#options;
    if (!(await store.renew(held, TTL_MS))) {
      this.#lose("its lease went to another coordinator");
      return;
    }
    this.#validUntilMs = askedAtMs + TTL_MS;
    if ((await store.announced(LEADER_LEASE)) === address) return;
    // Renewing made the lease anew, so everything else is gone from the store too.
    await storeEmptied();
    // Last, so that what failed on the way is put back with the next renewal.
    await store.announce(held, address);
  }

  #lose(reason: string): void {
    if (!this.#held) return;
    this.#held = undefined;
    this.#validUntilMs = 0;
    this.#leader = undefined;
    this.#options.lost(reason);
  }

  #reachable(reachable: boolean, why: string): void {
    if (reachable === this.#isReachable) return;
    this.#isReachable = reachable;
    this.#options.storeReachable(reachable, why);
  }
}
