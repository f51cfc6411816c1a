import type { MetricsRecord } from "../../coordinator/report/records.ts";
import type { Cluster } from "./cluster.ts";
import type { JobKind } from "./job.ts";
import { Run } from "./run.ts";

const AT_A_TIME = 50;

/**
 * Runs that nothing happens to, one a kind of job. Their learning rate is constant behind
 * the warm-up, so that a long one begins as a short one does.
 */
export class References {
  readonly #steps = new Map<JobKind, readonly MetricsRecord[]>();
  #numRuns = 0;

  /** At least the first `steps` steps. */
  async of(cluster: Cluster, kind: JobKind, steps: number): Promise<readonly MetricsRecord[]> {
    const known = this.#steps.get(kind);
    if (known && known.length >= steps) return known;
    this.#numRuns += 1;
    const run = await Run.submit(cluster, `reference-${kind}-${this.#numRuns}`, { kind, steps });
    // However long it takes, as long as it goes on.
    for (let step = AT_A_TIME; step < steps; step += AT_A_TIME) await run.reach(step);
    const { restarts, reason } = await run.ended();
    if (restarts > 0 || run.metrics.length !== steps) {
      throw new Error(`the reference of ${kind} did not go through: ${reason}`);
    }
    this.#steps.set(kind, run.metrics);
    return run.metrics;
  }
}
