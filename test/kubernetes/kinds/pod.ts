import { type Cause, forbidden } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import { cause } from "../crd/validate.ts";
import { isObject, type Json, type JsonObject, type KubeObject, objectsAt, same } from "../json.ts";
import type { Kind } from "./kinds.ts";

/** Sets what the API server sets in a pod's spec. */
export function setPodDefaults(spec: JsonObject): void {
  spec.restartPolicy ??= "Always";
  spec.dnsPolicy ??= "ClusterFirst";
  spec.schedulerName ??= "default-scheduler";
  spec.securityContext ??= {};
  spec.terminationGracePeriodSeconds ??= 30;
  if (spec.serviceAccountName) spec.serviceAccount ??= spec.serviceAccountName;
  for (const container of [
    ...objectsAt(spec, "containers"),
    ...objectsAt(spec, "initContainers"),
  ]) {
    const image = String(container.image ?? "");
    container.imagePullPolicy ??= /:(?!latest$)[^/]+$|@/.test(image) ? "IfNotPresent" : "Always";
    container.terminationMessagePath ??= "/dev/termination-log";
    container.terminationMessagePolicy ??= "File";
    container.resources ??= {};
    for (const port of objectsAt(container, "ports")) port.protocol ??= "TCP";
    setRequests(container.resources);
    for (const variable of objectsAt(container, "env")) {
      const reference = isObject(variable.valueFrom) ? variable.valueFrom.fieldRef : undefined;
      if (isObject(reference)) reference.apiVersion ??= "v1";
    }
  }
  for (const volume of objectsAt(spec, "volumes")) {
    const { configMap, projected, secret } = volume;
    for (const source of [configMap, projected, secret]) {
      if (isObject(source)) source.defaultMode ??= 420;
    }
    for (const source of objectsAt(projected, "sources")) {
      if (isObject(source.serviceAccountToken)) {
        source.serviceAccountToken.expirationSeconds ??= 3600;
      }
    }
  }
}

/** A limit is a request where none is made. */
function setRequests(resources: JsonObject["resources"]): void {
  if (!isObject(resources) || !isObject(resources.limits)) return;
  resources.requests = {
    ...resources.limits,
    ...(isObject(resources.requests) ? resources.requests : {}),
  };
}

/** What schemas cannot say about a pod's spec. */
export function checkPodSpec(
  spec: JsonObject,
  path: string,
  claims: readonly Json[] = [],
): Cause[] {
  const containers = objectsAt(spec, "containers");
  const found: Cause[] = [];
  if (Array.isArray(spec.containers) && containers.length === 0) {
    found.push(cause(`${path}.containers`, "FieldValueRequired", "Required value"));
  }
  const volumes = new Set([...claims, ...objectsAt(spec, "volumes").map(({ name }) => name)]);
  containers.forEach((container, index) => {
    const inner = `${path}.containers[${index}]`;
    if (!container.image) {
      found.push(cause(`${inner}.image`, "FieldValueRequired", "Required value"));
    }
    objectsAt(container, "volumeMounts").forEach(({ name }, mount) => {
      if (volumes.has(name)) return;
      const why = `Not found: "${String(name)}"`;
      found.push(cause(`${inner}.volumeMounts[${mount}].name`, "FieldValueNotFound", why));
    });
  });
  return found;
}

/** A pod acts as a service account, which has to be there. */
function setAccount({ metadata }: KubeObject, spec: JsonObject, cluster: Cluster): void {
  const { namespace = "", name } = metadata;
  spec.serviceAccountName ||= "default";
  const account = String(spec.serviceAccountName);
  const kind = { group: "", plural: "serviceaccounts" };
  if (cluster.storage.get(kind, namespace, account)) return;
  const subject = { group: "", plural: "pods", kind: "Pod", name };
  const why = `error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`;
  throw forbidden(subject, why);
}

/** Fields of a pod's spec that may change. */
const MUTABLE = ["activeDeadlineSeconds", "tolerations", "nodeName", "schedulingGates"];

export const pod: Kind = {
  setDefaults(object, cluster, old) {
    if (isObject(object.spec)) {
      if (!old) setAccount(object, object.spec, cluster);
      setPodDefaults(object.spec);
    }
    object.status ??= { phase: "Pending", qosClass: "BestEffort" };
  },
  check(object, old) {
    const own = isObject(object.spec) ? checkPodSpec(object.spec, "spec") : [];
    if (!old || same(fixed(object), fixed(old))) return own;
    const why =
      "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    return [...own, cause("spec", "FieldValueForbidden", why)];
  },
};

function fixed(object: KubeObject): JsonObject {
  const spec = { ...object.spec };
  for (const field of MUTABLE) delete spec[field];
  const containers = objectsAt(spec, "containers").map(({ image: _, ...rest }) => rest);
  return { ...spec, containers };
}
