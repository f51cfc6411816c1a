import type { MoETrainingJob } from "../moe-training-job.ts";
import { API_GROUP, API_VERSION, KIND } from "../names.ts";
import type { KubernetesObject, ObjectMetadata } from "./kubernetes-object.ts";

export const JOB_LABEL = `${API_GROUP}/job`;
/**
 * The job's UID, on every child: whose it is where somebody took its owner. No label, for nothing
 * selects by it, and whoever takes labels away leaves it.
 */
export const JOB_UID = `${API_GROUP}/job-uid`;
const COMPONENT_LABEL = "app.kubernetes.io/component";

/** What everything of the agents is called: service, account, policies, the pods' job. */
export const agentsName = ({ metadata }: { metadata: { name: string } }) =>
  `${metadata.name}-agents`;

export const planName = (job: MoETrainingJob) => `${job.metadata.name}-plan`;

/** Selects the pods of one job's agents, and none else. */
export function podSelector({ metadata }: MoETrainingJob): Record<string, string> {
  return { [COMPONENT_LABEL]: "agent", [JOB_LABEL]: metadata.name };
}

/** Selects the pods of all agents. */
export const AGENTS = `${COMPONENT_LABEL}=agent`;

/** On every child, and on every pod. */
export function labelsOf(job: MoETrainingJob): Record<string, string> {
  return {
    "app.kubernetes.io/name": "moestro",
    "app.kubernetes.io/part-of": "moestro",
    "app.kubernetes.io/managed-by": "moestro",
    "app.kubernetes.io/instance": job.metadata.name,
    ...podSelector(job),
  };
}

/** A child of the job, which goes when the job goes. */
export function childOf(
  job: MoETrainingJob,
  child: { apiVersion: string; kind: string; name: string; labels?: Record<string, string> },
  content: Record<string, unknown>,
): KubernetesObject {
  const { apiVersion, kind, name, labels = {} } = child;
  const { namespace, uid } = job.metadata;
  const metadata: ObjectMetadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    labels: { ...labelsOf(job), ...labels },
    ...(uid === undefined ? {} : belonging(job.metadata.name, uid)),
  };
  return { apiVersion, kind, metadata, ...content };
}

function belonging(name: string, uid: string) {
  const owner = {
    ...{ apiVersion: API_VERSION, kind: KIND, name, uid },
    ...({ controller: true, blockOwnerDeletion: true } as const),
  };
  return { annotations: { [JOB_UID]: uid }, ownerReferences: [owner] };
}
