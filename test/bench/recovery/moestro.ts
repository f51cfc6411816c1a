import type { Workplace } from "../../e2e/moestro.ts";
import { Cluster, type ClusterOptions } from "../../faults/cluster.ts";
import { until } from "../../faults/patience.ts";
import { Run } from "../../faults/run.ts";
import {
  kill,
  NUM_RANKS,
  STEPS,
  STEPS_BEFORE_KILL,
  type System,
  type Times,
  timeMs,
} from "./setting.ts";

export const moestro: System = {
  name: "moestro",
  what: "moestro serve and four agents with two slots and two standby interpreters each; started from the submission to a cluster that runs",
  round: (place, rank) =>
    withCluster(place, {}, async (cluster) => {
      const { run, submittedAtMs } = await train(cluster);
      const [first] = run.metrics;
      await run.advance(STEPS_BEFORE_KILL);
      return {
        start: timeMs(first) - submittedAtMs,
        ...(await killRank(run, rank)),
      };
    }),
};

/** The same, killed once more before any interpreter stands by again. */
export const moestroCold: System = {
  name: "moestro, no standby",
  what: "the same with a second kill right behind the first, when no interpreter stands by",
  round: (place, rank) =>
    withCluster(place, {}, async (cluster) => {
      const { run, submittedAtMs } = await train(cluster);
    }),
};
