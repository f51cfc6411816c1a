import type { Json, JsonObject } from "../json.ts";
import { isObject } from "../json.ts";
import { apiVersionOf, type Resource } from "../resources.ts";
import { DEFINITIONS, OBJECT_META, type Schema } from "../schema/definitions.ts";
import { VERSION } from "./discovery.ts";

const PREFIX = "#/components/schemas/";

function pathOf(apiVersion: string): string {
  return apiVersion === "v1" ? "api/v1" : `apis/${apiVersion}`;
}

/** The index at /openapi/v3. */
export function openApiIndex(resources: readonly Resource[]): JsonObject {
  const all = [...new Set(resources.map((resource) => pathOf(apiVersionOf(resource))))];
  const paths = all.map((path): [string, Json] => [
    path,
    { serverRelativeURL: `/openapi/v3/${path}` },
  ]);
  return { paths: Object.fromEntries(paths) };
}

/** The document of one version of a group; undefined where there is none. */
export function openApiDocument(
  path: string,
  resources: readonly Resource[],
): JsonObject | undefined {
  const chosen = resources.filter((resource) => pathOf(apiVersionOf(resource)) === path);
  if (chosen.length === 0) return undefined;
  const schemas: JsonObject = {};
  for (const resource of chosen) {
    schemas[nameOf(resource)] = withReferences(schemaOf(resource), schemas);
  }
  withReferences({ $ref: OBJECT_META }, schemas);
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: VERSION.gitVersion },
    paths: Object.assign({}, ...chosen.map((resource) => pathsOf(resource, path))),
    components: { schemas },
  };
}

function schemaOf(resource: Resource): JsonObject {
  const { group, version, kind } = resource;
  const own = resource.schema as JsonObject;
  return { ...own, "x-kubernetes-group-version-kind": [{ group, version, kind }] };
}

function nameOf({ schema, group, version, kind }: Resource): string {
  const known = [...DEFINITIONS].find(([, definition]) => definition === schema);
  return known?.[0] ?? `${group.split(".").reverse().join(".")}.${version}.${kind}`;
}

/** A schema with its references spelled for the document, which gets what they lead to. */
function withReferences(value: JsonObject, schemas: JsonObject): JsonObject {
  const visit = (part: Json): Json => {
    if (Array.isArray(part)) return part.map(visit);
    if (!isObject(part)) return part;
    const { $ref: name, ...rest } = part;
    if (typeof name !== "string") {
      const fields = Object.entries(part).filter(([, inner]) => inner !== undefined);
      return Object.fromEntries(fields.map(([field, inner]) => [field, visit(inner as Json)]));
    }
    if (schemas[name] === undefined) {
      schemas[name] = {};
      schemas[name] = visit((DEFINITIONS.get(name) ?? {}) as Schema as JsonObject);
    }
    return { ...rest, allOf: [{ $ref: `${PREFIX}${name}` }] };
  };
  return visit(value) as JsonObject;
}

/** Says of each path what kubectl looks for: the kind, and the parameters of a write. */
function pathsOf(resource: Resource, prefix: string): JsonObject {
  const { group, version, kind, plural, namespaced } = resource;
  const base = `/${prefix}/${namespaced ? "namespaces/{namespace}/" : ""}${plural}`;
  const parameters = ["dryRun", "fieldManager", "fieldValidation"].map((name) => ({
    name,
    in: "query",
    schema: { type: "string", uniqueItems: true },
  }));
  const content = { "application/json": { schema: { $ref: `${PREFIX}${nameOf(resource)}` } } };
  const operation = (action: string): JsonObject => ({
    parameters,
    responses: { "200": { description: "OK", content } },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": { group, version, kind },
  });
  return {
    [base]: { post: operation("post"), get: operation("list") },
    [`${base}/{name}`]: {
      get: operation("get"),
      put: operation("put"),
      patch: operation("patch"),
      delete: operation("delete"),
    },
  };
}
