import { alreadyExists, badRequest, notFound } from "../api-error.ts";
import { trackUpdate } from "../apply/managers.ts";
import { type Cluster, subjectOf } from "../cluster.ts";
import { copy, isObject, type JsonObject, type KubeObject, same } from "../json.ts";
import { kindOf } from "../kinds/kinds.ts";
import { apiVersionOf, type Resource } from "../resources.ts";
import { checkPreconditions, keepIdentity, keepParts } from "./keep.ts";
import { check, checkKind, checkNamespace, type FieldValidation, shape } from "./prepare.ts";
import { checkQuota } from "./quota.ts";

export type WriteOptions = {
  manager: string;
  dryRun?: boolean;
  fieldValidation?: FieldValidation;
  subresource?: "status" | "scale";
  /** Server-side apply has written who owns what already. */
  isApply?: boolean;
};

export type Written = { object: KubeObject; warnings: string[] };

/** Creates an object, or throws what the API server would answer. */
export function create(
  cluster: Cluster,
  resource: Resource,
  namespace: string | undefined,
  given: KubeObject,
  options: WriteOptions,
): Written {
  const object = copy(given);
  checkKind(object, resource);
  setIdentity(cluster, resource, namespace, object);
  const { name } = object.metadata;
  checkNamespace(cluster, resource, object);
  if (cluster.storage.get(resource, object.metadata.namespace, name)) {
    throw alreadyExists(subjectOf(resource, name));
  }
  if (resource.hasStatus) delete object.status;
  const warnings = shape(object, resource, options.fieldValidation ?? "Warn");
  for (const webhook of cluster.webhooks) webhook(object, "CREATE");
  kindOf(resource).setDefaults?.(object, cluster, undefined);
  check(object, undefined, resource);
  checkQuota(cluster, resource, object);
  if (!options.isApply) track(cluster, resource, undefined, object, options);
  const stored = options.dryRun ? object : cluster.storage.put(resource, object);
  return { object: stored, warnings };
}

function setIdentity(
  cluster: Cluster,
  resource: Resource,
  namespace: string | undefined,
  object: KubeObject,
): void {
  object.metadata ??= { name: "" };
  const { metadata } = object;
  if (resource.namespaced) {
    if (metadata.namespace !== undefined && metadata.namespace !== namespace) {
      throw badRequest(
        `the namespace of the provided object does not match the namespace sent on the request`,
      );
    }
    if (namespace !== undefined) metadata.namespace = namespace;
  } else delete metadata.namespace;
  if (!metadata.name && metadata.generateName) {
    metadata.name = `${metadata.generateName.slice(0, 58)}${cluster.newSuffix()}`;
  }
  if (!metadata.name) throw badRequest("name or generateName is required");
  if (metadata.resourceVersion) {
    throw badRequest("resourceVersion should not be set on objects to be created");
  }
  delete metadata.deletionTimestamp;
  metadata.uid = cluster.newUid();
  metadata.creationTimestamp = cluster.timestamp();
  if (kindOf(resource).hasGeneration) metadata.generation = 1;
  else delete metadata.generation;
}

/** Changes an object to what `change` makes of it; a change that changes nothing writes nothing. */
export function update(
  cluster: Cluster,
  resource: Resource,
  namespace: string | undefined,
  name: string,
  change: (live: KubeObject) => KubeObject,
  options: WriteOptions,
): Written {
  const live = cluster.storage.get(resource, namespace, name);
  if (!live) throw notFound(subjectOf(resource, name));
  live.apiVersion = apiVersionOf(resource);
  const object = copy(change(copy(live)));
  checkKind(object, resource);
  checkPreconditions(object, live, resource);
  const isReset =
    same(object.metadata.managedFields, []) || same(object.metadata.managedFields, [{}]);
  keepIdentity(object, live, options.isApply === true);
  const warnings = shape(object, resource, options.fieldValidation ?? "Warn");
  keepParts(object, live, resource, options);
  if (options.subresource !== "status") {
    for (const webhook of cluster.webhooks) webhook(object, "UPDATE");
    kindOf(resource).setDefaults?.(object, cluster, live);
  }
  check(object, live, resource);
  if (kindOf(resource).hasGeneration && !same(content(object), content(live))) {
    object.metadata.generation = (live.metadata.generation ?? 0) + 1;
  }
  if (same(withoutManagers(object), withoutManagers(live)) && !isReset) {
    const isSameOwners = same(object.metadata.managedFields, live.metadata.managedFields);
    if (!options.isApply || isSameOwners) return { object: live, warnings };
  } else if (isReset) delete object.metadata.managedFields;
  else if (!options.isApply) track(cluster, resource, live, object, options);
  if (options.dryRun) return { object, warnings };
  const isGone =
    object.metadata.deletionTimestamp !== undefined &&
    !object.metadata.finalizers?.length &&
    object.spec?.finalizers === undefined &&
    object.metadata.deletionGracePeriodSeconds === 0;
  const stored = cluster.storage.put(resource, object);
  if (isGone) cluster.storage.remove(resource, namespace, name);
  return { object: stored, warnings };
}

function track(
  cluster: Cluster,
  resource: Resource,
  live: KubeObject | undefined,
  object: KubeObject,
  { manager, subresource }: WriteOptions,
): void {
  const writer = { manager, apiVersion: apiVersionOf(resource), now: cluster.timestamp() };
  const through = subresource === undefined ? {} : { subresource };
  trackUpdate(live, object, resource.schema, { ...writer, ...through });
}

/** What the generation counts changes of. */
function content({ metadata: _, status: __, ...rest }: KubeObject): JsonObject {
  return rest as JsonObject;
}

function withoutManagers(object: KubeObject): JsonObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata: isObject(metadata) ? metadata : {} };
}
