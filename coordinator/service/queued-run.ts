import type { JsonValue } from "@bufbuild/protobuf";
import { LegalSizes, type PlanApart } from "../run/legal-sizes.ts";
import type { Job } from "../spec/schema.ts";
import type { StoredRun } from "../store/store.ts";

/** Jobs whose plans are kept beside those of runs that are not over, which hold their own. */
const MAX_JOBS = 1000;

/** Plans of jobs by their text: runs of equal jobs share them. The latest used are kept. */
export class SizesOfJobs {
  readonly #known = new Map<string, LegalSizes>();
  readonly #planApart: PlanApart | undefined;
  readonly #maxJobs: number;

  /** @param planApart how plans that take long are made */
  constructor(planApart?: PlanApart, maxJobs = MAX_JOBS) {
    this.#planApart = planApart;
    this.#maxJobs = maxJobs;
  }

  of(job: JsonValue): LegalSizes {
    const key = JSON.stringify(job);
    const sizes = this.#known.get(key) ?? new LegalSizes(jobOf(job), this.#planApart);
    // A map keeps the order in which keys came.
    this.#known.delete(key);
    this.#known.set(key, sizes);
    const [oldest] = this.#known.keys();
    if (this.#known.size > this.#maxJobs && oldest !== undefined) this.#known.delete(oldest);
    return sizes;
  }
}

/** The job that a coordinator checked when it was submitted. */
export function jobOf(json: JsonValue): Job {
  return json as unknown as Job;
}

/** A run that waits for slots, or is held back. */
export type QueuedRun = {
  stored: StoredRun;
  sizes: LegalSizes;
  /** When it began to wait this time; of the wall clock. */
  sinceMs: number;
  /** It had slots and gives way to nobody of its priority: its node is drained. */
  isOwed: boolean;
};
