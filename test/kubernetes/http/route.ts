import { noSuchPath } from "../api-error.ts";

/** What a path of the API names. */
export type Route = {
  group: string;
  version: string;
  plural: string;
  namespace: string | undefined;
  name: string | undefined;
  subresource: string | undefined;
};

/** Reads a path below /api or /apis that names a resource. Throws a 404. */
export function routeOf(path: string): Route {
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  const isCore = parts[0] === "api";
  const [group, version, ...rest] = isCore ? ["", ...parts.slice(1)] : parts.slice(1);
  if (group === undefined || version === undefined || rest.length === 0) throw noSuchPath();
  const inNamespace =
    rest[0] === "namespaces" && rest.length > 2 && !["status", "finalize"].includes(rest[2] ?? "");
  const namespace = inNamespace ? rest[1] : undefined;
  const [plural = "", name, subresource, ...more] = inNamespace ? rest.slice(2) : rest;
  if (more.length > 0) throw noSuchPath();
  return { group, version, plural, namespace, name, subresource };
}

/** The verb as RBAC and the counters call it. */
export function verbOf(method: string, route: Route, query: URLSearchParams): string {
  const isOne = route.name !== undefined;
  if (method === "GET") {
    const watches = ["1", "true"].includes(query.get("watch") ?? "");
    if (isOne) return "get";
    return watches ? "watch" : "list";
  }
  if (method === "DELETE") return isOne ? "delete" : "deletecollection";
  return { POST: "create", PUT: "update", PATCH: "patch" }[method] ?? method.toLowerCase();
}

/** `jobs.batch`, `pods/log`. */
export function resourceText({ group, plural, subresource }: Route): string {
  const kind = group === "" ? plural : `${plural}.${group}`;
  return subresource === undefined ? kind : `${kind}/${subresource}`;
}
