import { badRequest, conflict, MODIFIED } from "../api-error.ts";
import { subjectOf } from "../cluster.ts";
import { copy, type JsonObject, type KubeObject } from "../json.ts";
import type { Resource } from "../resources.ts";

/** Refuses a write that is of another object, or of an older state of it. */
export function checkPreconditions(object: KubeObject, live: KubeObject, resource: Resource): void {
  const { name, namespace, resourceVersion, uid } = object.metadata;
  const subject = subjectOf(resource, live.metadata.name);
  if (
    name !== live.metadata.name ||
    (namespace ?? live.metadata.namespace) !== live.metadata.namespace
  ) {
    throw badRequest(
      `the name of the object (${name}) does not match the name on the URL (${live.metadata.name})`,
    );
  }
  if (uid && uid !== live.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${live.metadata.uid}`;
    throw conflict(subject, why);
  }
  if (resourceVersion && resourceVersion !== live.metadata.resourceVersion) {
    throw conflict(subject, MODIFIED);
  }
}

/** What no write may change. */
export function keepIdentity(object: KubeObject, live: KubeObject, isApply: boolean): void {
  const { uid, resourceVersion, creationTimestamp, generation, managedFields } = live.metadata;
  const { deletionTimestamp, deletionGracePeriodSeconds, namespace } = live.metadata;
  const kept = { uid, resourceVersion, creationTimestamp, generation, namespace };
  const going = { deletionTimestamp, deletionGracePeriodSeconds };
  const metadata: JsonObject = { ...object.metadata, ...kept, ...going };
  if (!isApply) metadata.managedFields = managedFields;
  for (const [field, value] of Object.entries(metadata)) {
    if (value === undefined) delete metadata[field];
  }
  object.metadata = metadata as KubeObject["metadata"];
}

/** Status is written through its subresource, everything else beside it. */
export function keepParts(
  object: KubeObject,
  live: KubeObject,
  resource: Resource,
  { subresource }: { subresource?: string },
): void {
  if (!resource.hasStatus) return;
  if (subresource !== "status") {
    if (live.status === undefined) delete object.status;
    else object.status = copy(live.status);
    return;
  }
  const { status } = object;
  const { managedFields } = object.metadata;
  for (const field of Object.keys(object)) delete object[field];
  Object.assign(object, copy(live));
  if (managedFields) object.metadata.managedFields = managedFields;
  if (status === undefined) delete object.status;
  else object.status = status;
}
