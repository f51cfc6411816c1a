/** A kind as its collection is asked for. */
export interface ServedKind {
  apiVersion: string;
  kind: string;
  plural: string;
}

/** Kinds of the children that are of Kubernetes itself. */
export const CHILD_KINDS: readonly ServedKind[] = [
  { apiVersion: "v1", kind: "ServiceAccount", plural: "serviceaccounts" },
  { apiVersion: "v1", kind: "Service", plural: "services" },
  { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps" },
  { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", plural: "networkpolicies" },
  { apiVersion: "policy/v1", kind: "PodDisruptionBudget", plural: "poddisruptionbudgets" },
  { apiVersion: "batch/v1", kind: "Job", plural: "jobs" },
];

export const JOB_SETS: ServedKind = {
  ...{ apiVersion: "jobset.x-k8s.io/v1alpha2", kind: "JobSet", plural: "jobsets" },
};

/** @throws Error where no child is of that kind */
export function pluralOf(apiVersion: string, kind: string): string {
  const found = [...CHILD_KINDS, JOB_SETS].find(
    (one) => one.apiVersion === apiVersion && one.kind === kind,
  );
  if (found === undefined) throw new Error(`${kind} of ${apiVersion}: is no kind of children`);
  return found.plural;
}
