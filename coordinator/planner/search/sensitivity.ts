import type { Workload } from "../cost/workload.ts";
import type { Cluster, Link } from "../hardware/cluster.ts";
import type { PlanDocument } from "../plan-document.ts";
import { costCandidate } from "./candidate.ts";
import type { Constraints } from "./constraints.ts";
import { modelParts } from "./model-parts.ts";
import { costsUnder } from "./scheduled-costs.ts";
import type { Solved } from "./solve-candidate.ts";
import { stepMs } from "./stage-costs.ts";

const SHARE = 0.9;

/** The figures of a cluster that may be wrong, each a tenth lower. */
const CHANGES: readonly { what: string; apply: (cluster: Cluster) => Cluster }[] = [
  {
    what: "achievable FLOP/s",
    apply: (cluster) => {
      const { achievable, peakFlops, ...rest } = cluster.accelerator;
      return { ...cluster, accelerator: { ...rest, peakFlops: scaleAll(peakFlops), achievable } };
    },
  },
  {
    what: "memory bandwidth",
    apply: ({ accelerator, ...rest }) => ({
      ...rest,
      accelerator: { ...accelerator, memoryBandwidth: SHARE * accelerator.memoryBandwidth },
    }),
  },
  {
    what: "links inside a node",
    apply: (cluster) => ({ ...cluster, intra: slower(cluster.intra) }),
  },
  {
    what: "links between nodes",
    apply: (cluster) => ({ ...cluster, inter: slower(cluster.inter) }),
  },
];

/** The step of a solved plan, unchanged, were one figure of the cluster 10 % lower. */
export function sensitivityOf(
  workload: Workload,
  { target }: Constraints,
  solved: Solved,
): PlanDocument["sensitivity"] {
  const parts = modelParts(workload.model, target === "moestro");
  return CHANGES.map(({ what, apply }) => {
    const changed: Workload = { ...workload, cluster: apply(workload.cluster) };
    const costed = costCandidate(changed, solved.candidate.placement, parts);
    const candidate = costsUnder(solved.schedule, costed);
    const stepTimeMs = stepMs({ ...solved, candidate });
    const changeOfStep = stepTimeMs / solved.stepTimeMs - 1;
    return { what, change: "10 % lower", stepTimeMs, changeOfStep };
  });
}

function scaleAll<T extends Record<string, number | undefined>>(values: T): T {
  const scaled = Object.entries(values).map(([key, value]) => [key, SHARE * (value ?? 0)]);
  return Object.fromEntries(scaled) as T;
}

function slower({ latencyMs, curve }: Link): Link {
  return {
    latencyMs: latencyMs / SHARE,
    curve: curve.map(([bytes, rate]) => [bytes, SHARE * rate] as const),
  };
}
