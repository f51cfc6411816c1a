import type { MoETrainingJob } from "../moe-training-job.ts";
import { agentContainer, agentVolumes } from "./agent-container.ts";
import { agentsName, labelsOf, podSelector } from "./identity.ts";
import { mergeTemplate } from "./merge-template.ts";
import type { ChildrenOptions } from "./options.ts";

/** Nobody in the image, and not root. */
const USER_ID = 10_001;

const GRACE_SECONDS = 90;

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
    containers: [agentContainer(job, options)],
    volumes: agentVolumes(job, options),
  };
  return mergeTemplate({ metadata: { labels: labelsOf(job) }, spec }, template) as PodTemplate;
}
