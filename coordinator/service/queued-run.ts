import type { JsonValue } from "@bufbuild/protobuf";
import { LegalSizes } from "../run/legal-sizes.ts";
import type { Job } from "../spec/schema.ts";
import type { StoredRun } from "../store/store.ts";

/** Plans of jobs by their text: runs of equal jobs share them. */
export class SizesOfJobs {
  readonly #known = new Map<string, LegalSizes>();

  of(job: JsonValue): LegalSizes {
    const key = JSON.stringify(job);
    const found = this.#known.get(key);
    if (found) return found;
    const sizes = new LegalSizes(jobOf(job));
    this.#known.set(key, sizes);
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
