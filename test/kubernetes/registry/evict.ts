import { ApiError, notFound } from "../api-error.ts";
import { type Cluster, subjectOf } from "../cluster.ts";
import { at, type JsonObject, type KubeObject, objectsAt } from "../json.ts";
import { matchesSelector } from "../selectors.ts";
import { type DeleteOptions, remove } from "./delete.ts";

/**
 * Evicts a pod: says why in its conditions and deletes it. Throws a 429 where a
 * PodDisruptionBudget has none to spare.
 */
export function evict(
  cluster: Cluster,
  namespace: string,
  name: string,
  options: DeleteOptions = {},
): void {
  const pods = cluster.resource("", "v1", "pods");
  const pod = cluster.storage.get(pods, namespace, name);
  if (!pod) throw notFound(subjectOf(pods, name));
  const budgets = cluster.storage
    .list({ group: "policy", plural: "poddisruptionbudgets" }, namespace)
    .filter(({ spec }) => matchesSelector(spec?.selector, pod.metadata.labels ?? {}));
  for (const budget of budgets) {
    if (isRunning(pod) && allowedBy(cluster, budget) <= 0) {
      throw new ApiError(
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
        {
          causes: [
            {
              reason: "DisruptionBudget",
              message: `The disruption budget ${budget.metadata.name} needs more healthy pods`,
              field: "",
            },
          ],
        },
      );
    }
  }
  if (options.dryRun) return;
  setDisrupted(cluster, pod, "EvictionByEvictionAPI", "Eviction API: evicting");
  remove(cluster, pods, namespace, name, options);
}

/** Marks a pod as disrupted, so that a Job's failure policy can tell. */
export function setDisrupted(
  cluster: Cluster,
  pod: KubeObject,
  reason: string,
  message: string,
): void {
  const condition: JsonObject = {
    ...{ type: "DisruptionTarget", status: "True", reason, message },
    lastTransitionTime: cluster.timestamp(),
  };
  const others = objectsAt(pod, "status", "conditions").filter(
    ({ type }) => type !== "DisruptionTarget",
  );
  pod.status = { ...pod.status, conditions: [...others, condition] };
  cluster.storage.put({ group: "", plural: "pods" }, pod);
}

function isRunning(pod: KubeObject): boolean {
  return at(pod, "status", "phase") === "Running" && pod.metadata.deletionTimestamp === undefined;
}

/** How many more pods a budget lets go. */
function allowedBy(cluster: Cluster, { metadata, spec }: KubeObject): number {
  const pods = cluster.storage
    .list({ group: "", plural: "pods" }, metadata.namespace)
    .filter((pod) => matchesSelector(spec?.selector, pod.metadata.labels ?? {}));
  const healthy = pods.filter(isRunning).length;
  const portion = (value: unknown): number =>
    typeof value === "string" && value.endsWith("%")
      ? Math.ceil((Number.parseInt(value, 10) / 100) * pods.length)
      : Number(value);
  if (spec?.minAvailable !== undefined) return healthy - portion(spec.minAvailable);
  return portion(spec?.maxUnavailable ?? 1) - (pods.length - healthy);
}
