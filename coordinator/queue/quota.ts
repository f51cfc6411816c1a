import type { PlacedRun, Quotas } from "./scheduling.ts";
import { numSlotsOf } from "./supply.ts";
import { numberOf } from "./wording.ts";

type Use = { now: number; leaving: number };

/** What owners use of their quotas, while a pass gives slots away. */
export class QuotaUse {
  readonly #quotas: Quotas;
  readonly #byOwner = new Map<string, Use>();
  readonly #all: Use = { now: 0, leaving: 0 };

  constructor(quotas: Quotas, placed: readonly PlacedRun[]) {
    this.#quotas = quotas;
    for (const run of placed) {
      this.take(run.owner, numSlotsOf(run.placed));
      if (run.isLeaving) this.expect(run);
    }
  }

  /** Slots the owner may have now, beside those in use and promised. */
  room(owner: string): number {
    return Math.min(
      this.#ownLimit(owner) - this.#use(owner).now,
      (this.#quotas.total ?? Number.POSITIVE_INFINITY) - this.#all.now,
    );
  }

  /** Slots that have to be given back, by the owner's runs and by any, for `size` more. */
  missing(owner: string, size: number): { ofOwner: number; ofAll: number } {
    const short = (limit: number, { now, leaving }: Use) =>
      Math.max(0, size + now - leaving - limit);
    return {
      ofOwner: short(this.#ownLimit(owner), this.#use(owner)),
      ofAll: short(this.#quotas.total ?? Number.POSITIVE_INFINITY, this.#all),
    };
  }

  take(owner: string, size: number): void {
    for (const use of [this.#use(owner), this.#all]) use.now += size;
  }

  /** A run gives its slots back. */
  expect({ owner, placed }: PlacedRun): void {
    for (const use of [this.#use(owner), this.#all]) use.leaving += numSlotsOf(placed);
  }

  /** Why `size` slots more are too many now. */
  describe(owner: string, size: number): string {
    const own = this.#ownLimit(owner);
    const isOwn = size > own - this.#use(owner).now;
    const [whose, limit, { now }] = isOwn
      ? [`quota of ${owner}`, own, this.#use(owner)]
      : ["quota of all", this.#quotas.total ?? 0, this.#all];
    const needs = `it needs ${numberOf(size, "slot")}`;
    return size > limit
      ? `${whose}: ${needs}, and ${limit} are allowed at the most`
      : `${whose}: ${now} of ${numberOf(limit, "slot")} are used or promised, and ${needs}`;
  }

  #ownLimit(owner: string): number {
    return this.#quotas.byOwner.get(owner) ?? Number.POSITIVE_INFINITY;
  }

  #use(owner: string): Use {
    const known = this.#byOwner.get(owner);
    if (known) return known;
    const use = { now: 0, leaving: 0 };
    this.#byOwner.set(owner, use);
    return use;
  }
}
