import { isMapping } from "../../spec/mapping.ts";
import type { MoETrainingJob } from "../moe-training-job.ts";
import { agentContainer, agentVolumes } from "./agent-container.ts";
import { agentsName, labelsOf, podSelector } from "./identity.ts";
import { mergeTemplate } from "./merge-template.ts";
import type { ChildrenOptions } from "./options.ts";
import { withRunsKept } from "./template-runs.ts";

/** Nobody in the image, and not root. */
const USER_ID = 10_001;

const GRACE_SECONDS = 90;
/** Of the grace, what the agent itself takes to end once its ranks have gone elsewhere. */
const LAST_SECONDS = 20;

export interface PodTemplate {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: Record<string, unknown>;
}

/** The pod of an agent: of the restricted standard, unless the spec's template says otherwise. */
export function podTemplate(job: MoETrainingJob, options: ChildrenOptions): PodTemplate {
  const { priorityClassName, template = {} } = job.spec;
  const spec = {
    // The job replaces pods; agents start ranks.
    restartPolicy: "Never",
    serviceAccountName: agentsName(job),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    // An agent that is to end has its ranks write a checkpoint and go elsewhere first.
    terminationGracePeriodSeconds: GRACE_SECONDS,
    subdomain: agentsName(job),
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
    securityContext: {
      ...{ runAsNonRoot: true, runAsUser: USER_ID, runAsGroup: USER_ID, fsGroup: USER_ID },
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
    // One a node where there are enough.
    topologySpreadConstraints: [
      {
        ...{ maxSkew: 1, topologyKey: "kubernetes.io/hostname" },
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: podSelector(job) },
      },
    ],
    containers: [agentContainer(job, options, leaveSecondsOf(template))],
    volumes: agentVolumes(job, options),
  };
  const base = { metadata: { labels: labelsOf(job) }, spec };
  const merged = mergeTemplate(base, template) as PodTemplate;
  return { ...merged, spec: withRunsKept(merged.spec, job, options) };
}

/** What the grace that the pod will have leaves for ranks to go elsewhere. */
function leaveSecondsOf({ spec }: Record<string, unknown>): number {
  const given = isMapping(spec) ? spec.terminationGracePeriodSeconds : undefined;
  const grace = typeof given === "number" ? Math.floor(given) : GRACE_SECONDS;
  return Math.max(0, grace - LAST_SECONDS);
}
