import { conflict, notFound } from "../api-error.ts";
import { type Cluster, subjectOf } from "../cluster.ts";
import { type KubeObject, textAt } from "../json.ts";
import { keyOf, type Resource } from "../resources.ts";

export type DeleteOptions = {
  propagationPolicy?: string;
  gracePeriodSeconds?: number;
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun?: boolean;
};

export const FOREGROUND = "foregroundDeletion";
export const ORPHAN = "orphan";
/** Stands for the namespace's own finalizer, which is in its spec. */
const NAMESPACES = "/namespaces";

/** Deletes an object, or marks it where something has to happen first; gives back the last state. */
export function remove(
  cluster: Cluster,
  resource: Resource,
  namespace: string | undefined,
  name: string,
  options: DeleteOptions = {},
): { object: KubeObject; isGone: boolean } {
  const live = cluster.storage.get(resource, namespace, name);
  if (!live) throw notFound(subjectOf(resource, name));
  checkPreconditions(live, resource, options);
  if (options.dryRun) return { object: live, isGone: true };
  const { metadata } = live;
  const isFirst = metadata.deletionTimestamp === undefined;
  if (isFirst) addFinalizer(live, options.propagationPolicy);
  const graceSeconds = graceOf(resource, live, options);
  const mustWait = (metadata.finalizers ?? []).length > 0 || keyOf(resource) === NAMESPACES;
  if (!mustWait && graceSeconds === 0) {
    return { object: cluster.storage.remove(resource, namespace, name) ?? live, isGone: true };
  }
  const isShorter =
    graceSeconds < (metadata.deletionGracePeriodSeconds ?? Number.POSITIVE_INFINITY);
  if (!isFirst && !isShorter) return { object: live, isGone: false };
  const goesAt = cluster.now() + graceSeconds * 1000;
  metadata.deletionTimestamp ??= new Date(goesAt).toISOString().replace(/\.\d+Z$/, "Z");
  metadata.deletionGracePeriodSeconds = graceSeconds;
  if (keyOf(resource) === NAMESPACES) live.status = { ...live.status, phase: "Terminating" };
  if (metadata.generation !== undefined && isFirst) metadata.generation += 1;
  return { object: cluster.storage.put(resource, live), isGone: false };
}

function checkPreconditions(
  { metadata }: KubeObject,
  resource: Resource,
  { preconditions }: DeleteOptions,
): void {
  const subject = subjectOf(resource, metadata.name);
  for (const field of ["uid", "resourceVersion"] as const) {
    const wanted = preconditions?.[field];
    if (wanted === undefined || wanted === metadata[field]) continue;
    const label = field === "uid" ? "UID" : "ResourceVersion";
    const why = `Precondition failed: ${label} in precondition: ${wanted}, ${label} in object meta: ${metadata[field]}`;
    throw conflict(subject, why);
  }
}

function addFinalizer({ metadata }: KubeObject, policy: string | undefined): void {
  const added = policy === "Foreground" ? FOREGROUND : policy === "Orphan" ? ORPHAN : undefined;
  if (added) metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), added])];
}

/** A pod that runs on a node goes when the node says that its processes are gone. */
function graceOf(resource: Resource, live: KubeObject, options: DeleteOptions): number {
  if (keyOf(resource) !== "/pods") return 0;
  const phase = textAt(live, "status", "phase");
  if (!textAt(live, "spec", "nodeName") || phase === "Succeeded" || phase === "Failed") return 0;
  const own = live.spec?.terminationGracePeriodSeconds;
  return options.gracePeriodSeconds ?? (typeof own === "number" ? own : 30);
}
