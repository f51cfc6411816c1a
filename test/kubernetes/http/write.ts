import { ApiError, badRequest, notFound } from "../api-error.ts";
import { serverSideApply } from "../apply/apply.ts";
import { subjectOf } from "../cluster.ts";
import { isObject, type Json, type JsonObject, type KubeObject } from "../json.ts";
import { jsonPatch } from "../patch/json-patch.ts";
import { mergePatch } from "../patch/merge-patch.ts";
import { strategicMerge } from "../patch/strategic-merge.ts";
import { type DeleteOptions, remove } from "../registry/delete.ts";
import { checkTyped } from "../registry/prepare.ts";
import { create, update, type WriteOptions } from "../registry/write.ts";
import { apiVersionOf } from "../resources.ts";
import { type Answer, type Call, writeOptions } from "./call.ts";
import { list, shown } from "./read.ts";

/** The body as an object of the API. Throws a 400. */
export function objectOf({ body, resource }: Call): KubeObject {
  if (!isObject(body)) throw badRequest("the request has no object in it");
  const object = body as KubeObject;
  object.apiVersion ??= apiVersionOf(resource);
  object.kind ??= resource.kind;
  object.metadata ??= { name: "" };
  return object;
}

export function post(call: Call): Answer {
  const { cluster, resource, route } = call;
  const object = objectOf(call);
  const written = create(cluster, resource, route.namespace, object, writeOptions(call));
  return { code: 201, body: shown(call, written.object), warnings: written.warnings };
}

export function put(call: Call): Answer {
  const { cluster, resource, route } = call;
  const object = objectOf(call);
  const name = route.name ?? "";
  const options = { ...writeOptions(call), ...subresourceOf(call) };
  const { storage } = cluster;
  if (!storage.get(resource, route.namespace, name)) throw notFound(subjectOf(resource, name));
  const written = update(cluster, resource, route.namespace, name, () => object, options);
  return { code: 200, body: shown(call, written.object), warnings: written.warnings };
}

function subresourceOf({ route }: Call): Pick<WriteOptions, "subresource"> {
  return route.subresource === "status" ? { subresource: "status" } : {};
}

export function patch(call: Call): Answer {
  const { cluster, resource, route, contentType, body = null } = call;
  if (contentType.startsWith("application/apply-patch+yaml")) return apply(call);
  const change = patcher(contentType, resource.custom);
  const options = { ...writeOptions(call), ...subresourceOf(call) };
  const name = route.name ?? "";
  const { object, warnings } = update(
    cluster,
    resource,
    route.namespace,
    name,
    (live) => change(live, body, resource.schema) as KubeObject,
    options,
  );
  return { code: 200, body: shown(call, object), warnings };
}

/** How a patch of a type is done. Throws a 415. */
export function patcher(contentType: string, isCustom: boolean): typeof strategicMerge {
  if (contentType.startsWith("application/merge-patch+json"))
    return (live, body) => mergePatch(live, body);
  if (contentType.startsWith("application/json-patch+json")) {
    return (live, body) => jsonPatch(live ?? null, body);
  }
  if (contentType.startsWith("application/strategic-merge-patch+json") && !isCustom) {
    return strategicMerge;
  }
  const accepted =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
  throw new ApiError(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
  );
}

function apply(call: Call): Answer {
  const { cluster, resource, route, query } = call;
  const config = objectOf(call);
  const name = route.name ?? "";
  if (!query.get("fieldManager")) {
    const message =
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch';
    throw new ApiError(422, "Invalid", message);
  }
  if (config.metadata.managedFields !== undefined) {
    throw badRequest("metadata.managedFields must be nil");
  }
  config.metadata.name ||= name;
  if (route.namespace !== undefined) config.metadata.namespace ??= route.namespace;
  checkTyped(config, resource);
  const options = { ...writeOptions(call), ...subresourceOf(call), isApply: true };
  const writer = {
    manager: options.manager,
    apiVersion: config.apiVersion,
    now: cluster.timestamp(),
    force: query.get("force") === "true",
    ...subresourceOf(call),
  };
  const applied = (live?: KubeObject): KubeObject =>
    serverSideApply(live, ownPart(config, call), resource.schema, writer);
  const live = cluster.storage.get(resource, route.namespace, name);
  if (!live && route.subresource !== undefined) throw notFound(subjectOf(resource, name));
  const { object, warnings } = live
    ? update(cluster, resource, route.namespace, name, applied, options)
    : create(cluster, resource, route.namespace, applied(), options);
  return { code: live ? 200 : 201, body: shown(call, object), warnings };
}

/** Of what is applied, the part that is written this way: status only through its subresource. */
function ownPart(config: KubeObject, { resource, route }: Call): KubeObject {
  const { apiVersion, kind, metadata, status, ...rest } = config;
  const head = { apiVersion, kind };
  if (route.subresource === "status") {
    const { name, namespace } = metadata;
    const names = namespace === undefined ? { name } : { name, namespace };
    return { ...head, metadata: names, ...(status === undefined ? {} : { status }) };
  }
  if (resource.hasStatus) return { ...head, metadata, ...rest } as KubeObject;
  return config;
}

export function deleteOne(call: Call): Answer {
  const { cluster, resource, route } = call;
  const name = route.name ?? "";
  const { object, isGone } = remove(cluster, resource, route.namespace, name, deleteOptions(call));
  if (!isGone || resource.plural === "pods") return { code: 200, body: shown(call, object) };
  const { uid = "" } = object.metadata;
  const { group, plural } = resource;
  const details: JsonObject = { name, kind: plural, uid };
  if (group !== "") details.group = group;
  const head = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" };
  return { code: 200, body: { ...head, details } };
}

export function deleteAll(call: Call): Answer {
  const { cluster, resource } = call;
  const answer = list({ ...call, accept: "" });
  const { items } = answer.body as { items: KubeObject[] };
  for (const { metadata } of items) {
    remove(cluster, resource, metadata.namespace, metadata.name, deleteOptions(call));
  }
  return answer;
}

function deleteOptions({ body, query }: Call): DeleteOptions {
  const given: JsonObject = isObject(body) ? body : {};
  const policy = query.get("propagationPolicy") ?? given.propagationPolicy;
  const grace = query.get("gracePeriodSeconds") ?? given.gracePeriodSeconds;
  const isDry = (value: Json | undefined): boolean => Array.isArray(value) && value.includes("All");
  return {
    ...(typeof policy === "string" ? { propagationPolicy: policy } : {}),
    ...(grace === undefined || grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(isObject(given.preconditions) ? { preconditions: given.preconditions } : {}),
    dryRun: query.get("dryRun") === "All" || isDry(given.dryRun),
  };
}
