import type { EventRecord, MetricsRecord } from "../../../coordinator/report/records.ts";
import type { Workplace } from "../../e2e/moestro.ts";
import { Cluster, type ClusterOptions } from "../../faults/cluster.ts";
import { until } from "../../faults/patience.ts";
import { Run } from "../../faults/run.ts";
import { STEPS, STEPS_BEFORE_KILL } from "./setting.ts";

/** A run that trains on a cluster whose agents were ready to start ranks before it came. */
export type Training = { cluster: Cluster; run: Run; submittedAtMs: number };

export async function withTraining<Result>(
  place: Workplace,
  options: ClusterOptions,
  body: (training: Training) => Promise<Result>,
): Promise<Result> {
  const cluster = await Cluster.start(place, options);
  try {
    await until("agents that can start ranks", () =>
      [...cluster.agents.values()].every(({ log }) => log.includes("ready to start ranks")),
    );
    const submittedAtMs = Date.now();
    const run = await Run.submit(cluster, "recovery", { kind: "free", steps: STEPS });
    await run.reach(STEPS_BEFORE_KILL);
    return await body({ cluster, run, submittedAtMs });
  } finally {
    await cluster.close();
  }
}

/** When a record was written, on the clock of `Date.now`. */
export function writtenAtMs(record: Pick<EventRecord | MetricsRecord, "time"> | undefined): number {
  return record ? Date.parse(record.time) : Number.NaN;
}
