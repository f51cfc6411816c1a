import { at, type Json, type KubeObject, objectsAt } from "../json.ts";
import { keyOf, type Resource } from "../resources.ts";
import { jsonPath } from "./json-path.ts";

/** Cells that Kubernetes computes rather than reads; undefined for all others. */
export function computedCell(
  object: KubeObject,
  resource: Resource,
  name: string,
): Json | undefined {
  if (keyOf(resource) === "/pods") return podCell(object, name);
  return keyOf(resource) === "batch/jobs" ? jobCell(object, name) : undefined;
}

function jobCell(object: KubeObject, name: string): Json | undefined {
  if (name === "Completions") {
    const { completions = null, parallelism = null } = object.spec ?? {};
    return `${Number(at(object, "status", "succeeded") ?? 0)}/${String(completions ?? parallelism)}`;
  }
  if (name !== "Status") return undefined;
  const isTrue = (type: string): boolean =>
    objectsAt(object, "status", "conditions").some(
      (condition) => condition.type === type && condition.status === "True",
    );
  if (object.metadata.deletionTimestamp !== undefined) return "Terminating";
  const known = ["Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"];
  return known.find(isTrue) ?? "Running";
}

function podCell(object: KubeObject, name: string): Json | undefined {
  const statuses = objectsAt(object, "status", "containerStatuses");
  const numContainers = objectsAt(object, "spec", "containers").length;
  if (name === "Ready") return `${statuses.filter(({ ready }) => ready).length}/${numContainers}`;
  if (name === "Restarts") {
    return statuses.reduce((sum, { restartCount }) => sum + Number(restartCount ?? 0), 0);
  }
  if (name !== "Status") return undefined;
  if (object.metadata.deletionTimestamp !== undefined) return "Terminating";
  const [reason] = [
    ...statuses.flatMap((status) => jsonPath(status, ".state.waiting.reason")),
    ...statuses.flatMap((status) => jsonPath(status, ".state.terminated.reason")),
    ...jsonPath(object, ".status.reason"),
    ...jsonPath(object, ".status.phase"),
  ];
  return reason ?? "Unknown";
}
