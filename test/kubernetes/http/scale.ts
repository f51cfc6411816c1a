import { noSuchPath, notFound } from "../api-error.ts";
import { subjectOf } from "../cluster.ts";
import { isObject, type JsonObject, type KubeObject } from "../json.ts";
import { update } from "../registry/write.ts";
import type { ScalePaths } from "../resources.ts";
import { DEFINITIONS } from "../schema/definitions.ts";
import { selectorText } from "../selectors.ts";
import { type Answer, type Call, writeOptions } from "./call.ts";
import { jsonPath } from "./json-path.ts";
import { patcher } from "./write.ts";

const SCHEMA = DEFINITIONS.get("io.k8s.api.autoscaling.v1.Scale") ?? {};

/** The scale subresource: one number of the spec, one of the status. */
export function scale(call: Call): Answer {
  const { cluster, resource, route, verb, body } = call;
  const paths = resource.scale;
  if (!paths) throw noSuchPath();
  const name = route.name ?? "";
  const live = cluster.storage.get(resource, route.namespace, name);
  if (!live) throw notFound(subjectOf(resource, name));
  const now = scaleOf(live, paths);
  if (verb === "get") return { code: 200, body: now };
  const wanted =
    verb === "patch" ? patcher(call.contentType, false)(now, body ?? null, SCHEMA) : body;
  const spec = isObject(wanted) && isObject(wanted.spec) ? wanted.spec : {};
  const version =
    isObject(wanted) && isObject(wanted.metadata) ? wanted.metadata.resourceVersion : undefined;
  const change = (object: KubeObject): KubeObject => {
    if (typeof version === "string" && version !== "") object.metadata.resourceVersion = version;
    return setAt(object, paths.specReplicasPath, Number(spec.replicas ?? 0));
  };
  const options = { ...writeOptions(call), subresource: "scale" as const };
  const written = update(cluster, resource, route.namespace, name, change, options);
  return { code: 200, body: scaleOf(written.object, paths) };
}

function scaleOf(object: KubeObject, paths: ScalePaths): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const number = (path: string): number => Number(jsonPath(object, path)[0] ?? 0);
  const selector = paths.labelSelectorPath && jsonPath(object, paths.labelSelectorPath)[0];
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: number(paths.specReplicasPath) },
    status: { replicas: number(paths.statusReplicasPath), selector: selectorText(selector || "") },
  };
}

function setAt(object: KubeObject, path: string, value: number): KubeObject {
  const steps = path.split(".").filter(Boolean);
  const last = steps.pop() ?? "";
  let part: JsonObject = object;
  for (const step of steps) {
    const next = part[step];
    const inner = isObject(next) ? next : {};
    part[step] = inner;
    part = inner;
  }
  part[last] = value;
  return object;
}
