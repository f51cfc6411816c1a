import { canonical, isObject, type Json, type JsonObject } from "../json.ts";
import { fieldSchema, itemSchema, type Schema } from "../schema/definitions.ts";

/**
 * A path as managedFields spell it, one element after the other: `f:spec`,
 * `k:{"name":"a"}`, `v:"x"`; as JSON, to be a key.
 */
export type PathKey = string;

/** That a list has an item, apart from what is in it. */
const MEMBER = "";

const NOBODYS = new Set([
  ...["f:apiVersion", "f:kind", "f:metadata"].map((element) => JSON.stringify([element])),
  ...[
    ...["name", "namespace", "generateName", "uid", "resourceVersion", "generation", "selfLink"],
    ...["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"],
  ].map((field) => JSON.stringify(["f:metadata", `f:${field}`])),
]);

/** Every field that somebody can own, with its value. */
export function fieldsOf(object: JsonObject, schema: Schema): Map<PathKey, Json> {
  const found = new Map<PathKey, Json>();
  walk(object, schema, [], found);
  for (const path of [...found.keys()]) {
    const elements = JSON.parse(path) as string[];
    const isNobodys = [1, 2].some((length) => {
      const prefix = JSON.stringify(elements.slice(0, length));
      return NOBODYS.has(prefix) && (length === 2 || elements.length === 1);
    });
    if (isNobodys) found.delete(path);
  }
  return found;
}

function walk(value: Json, schema: Schema, path: string[], found: Map<PathKey, Json>): void {
  if (isObject(value) && !isAtomicMap(schema)) {
    const fields = Object.entries(value);
    if (fields.length === 0 && path.length > 0) found.set(JSON.stringify(path), {});
    for (const [field, inner] of fields) {
      if (inner === undefined) continue;
      walk(inner, fieldSchema(schema, field), [...path, `f:${field}`], found);
    }
  } else if (Array.isArray(value) && listType(schema) !== "atomic") {
    if (value.length === 0) found.set(JSON.stringify(path), []);
    for (const item of value) {
      const inner = [...path, elementOf(item, schema)];
      found.set(JSON.stringify(inner), MEMBER);
      if (isObject(item)) walk(item, itemSchema(schema), inner, found);
    }
  } else found.set(JSON.stringify(path), value);
}

export function listType(schema: Schema): string {
  return schema["x-kubernetes-list-type"] ?? "atomic";
}

export function isAtomicMap(schema: Schema): boolean {
  return schema["x-kubernetes-map-type"] === "atomic";
}

/** How an item of a list of type set or map is called. */
export function elementOf(item: Json, schema: Schema): string {
  if (listType(schema) !== "map" || !isObject(item)) return `v:${JSON.stringify(item)}`;
  const fields = itemSchema(schema).properties ?? {};
  const keys = (schema["x-kubernetes-list-map-keys"] ?? []).map((key): [string, Json] => [
    key,
    item[key] ?? fields[key]?.default ?? (key === "protocol" ? "TCP" : null),
  ]);
  return `k:${canonical(Object.fromEntries(keys.filter(([, value]) => value !== null)))}`;
}

/** Paths as the tree that managedFields hold. */
export function toTree(paths: Iterable<PathKey>): JsonObject {
  const tree: JsonObject = {};
  const all = [...paths].sort();
  for (const path of all) {
    let node = tree;
    for (const element of JSON.parse(path) as string[]) {
      const next = node[element];
      const inner = isObject(next) ? next : {};
      node[element] = inner;
      node = inner;
    }
  }
  for (const path of all) {
    const node = (JSON.parse(path) as string[]).reduce<JsonObject>(
      (part, element) => part[element] as JsonObject,
      tree,
    );
    if (Object.keys(node).length > 0) node["."] = {};
  }
  return tree;
}

/** The paths that a tree of managedFields holds. */
export function fromTree(tree: JsonObject): Set<PathKey> {
  const paths = new Set<PathKey>();
  const visit = (node: JsonObject, path: string[]): void => {
    const inner = Object.entries(node).filter(([element]) => element !== ".");
    if (path.length > 0 && (inner.length === 0 || "." in node)) paths.add(JSON.stringify(path));
    for (const [element, next] of inner) if (isObject(next)) visit(next, [...path, element]);
  };
  visit(tree, []);
  return paths;
}

/** `.spec.containers[name="a"].image`, as conflicts say it. */
export function pathText(path: PathKey): string {
  return (JSON.parse(path) as string[])
    .map((element) => {
      const rest = element.slice(2);
      if (element.startsWith("f:")) return `.${rest}`;
      if (element.startsWith("v:")) return `[=${rest}]`;
      const keys = Object.entries(JSON.parse(rest) as JsonObject);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",")}]`;
    })
    .join("");
}
