import { ApiError, notFound } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import { at, isObject, type Json, type JsonObject, type KubeObject, textAt } from "../json.ts";
import { isAllowed } from "./rbac.ts";
import type { Tokens, User } from "./tokens.ts";

/** Answers the kinds that are created to be answered and never stored. */
export function review(
  cluster: Cluster,
  tokens: Tokens,
  asker: User,
  object: KubeObject,
): KubeObject {
  const { kind } = object;
  if (kind === "TokenReview") return { ...object, status: reviewToken(tokens, object) };
  const subject = kind === "SelfSubjectAccessReview" ? asker : userIn(object.spec);
  const wished = at(object, "spec", "resourceAttributes");
  const subresource = textAt(wished, "subresource");
  const resource = textAt(wished, "resource");
  const allowed = isAllowed(cluster, subject, {
    verb: textAt(wished, "verb"),
    group: textAt(wished, "group"),
    resource: subresource === "" ? resource : `${resource}/${subresource}`,
    namespace: textAt(wished, "namespace") || undefined,
    name: textAt(wished, "name") || undefined,
  });
  return { ...object, status: { allowed } };
}

function reviewToken(tokens: Tokens, object: KubeObject): JsonObject {
  const audiences = at(object, "spec", "audiences");
  const found = tokens.review(
    textAt(object, "spec", "token"),
    ...(Array.isArray(audiences) ? [audiences.map(String)] : []),
  );
  if ("error" in found) return { authenticated: false, user: {}, error: found.error };
  return { authenticated: true, user: found.user, audiences: found.audiences };
}

function userIn(spec: Json | undefined): User {
  const groups = at(spec, "groups");
  return {
    username: textAt(spec, "user"),
    uid: textAt(spec, "uid"),
    groups: Array.isArray(groups) ? groups.map(String) : [],
    extra: {},
  };
}

/** The token subresource of a service account. Throws a 404 or 409 where the bound pod is not. */
export function requestToken(
  cluster: Cluster,
  tokens: Tokens,
  { namespace, name }: { namespace: string; name: string },
  object: KubeObject,
): KubeObject {
  const account = { group: "", plural: "serviceaccounts", kind: "ServiceAccount", name };
  if (!cluster.storage.get(account, namespace, name)) throw notFound(account);
  const spec = object.spec ?? {};
  const bound = at(spec, "boundObjectRef");
  const pod = isObject(bound)
    ? cluster.storage.get({ group: "", plural: "pods" }, namespace, textAt(bound, "name"))
    : undefined;
  if (isObject(bound) && !pod) {
    throw notFound({ group: "", plural: "pods", kind: "Pod", name: textAt(bound, "name") });
  }
  const uid = pod?.metadata.uid ?? "";
  if (isObject(bound) && textAt(bound, "uid") && bound.uid !== uid) {
    throw new ApiError(
      409,
      "Conflict",
      `the UID in the bound object reference (${textAt(bound, "uid")}) does not match the UID in record`,
    );
  }
  const seconds = typeof spec.expirationSeconds === "number" ? spec.expirationSeconds : 3600;
  const audiences = Array.isArray(spec.audiences) ? spec.audiences.map(String) : undefined;
  const { token, expiresAtMs } = tokens.issue({
    namespace,
    serviceAccount: name,
    expirationSeconds: seconds,
    // None are those of the API server itself.
    ...(audiences?.length ? { audiences } : {}),
    ...(pod ? { pod: { name: pod.metadata.name, uid } } : {}),
  });
  const expirationTimestamp = new Date(expiresAtMs).toISOString().replace(/\.\d+Z$/, "Z");
  return { ...object, status: { token, expirationTimestamp } };
}
