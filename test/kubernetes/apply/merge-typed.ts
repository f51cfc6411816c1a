import { isObject, type Json, type JsonObject, same } from "../json.ts";
import { fieldSchema, itemSchema, type Schema } from "../schema/definitions.ts";
import { elementOf, isAtomicMap, listType, type PathKey } from "./field-paths.ts";

/** What an applied configuration makes of what there is, before anything is removed. */
export function mergeTyped(live: Json | undefined, applied: Json, schema: Schema): Json {
  if (isObject(applied) && isObject(live) && !isAtomicMap(schema)) {
    const result = { ...live };
    for (const [field, value] of Object.entries(applied)) {
      if (value === null) delete result[field];
      else if (value !== undefined) {
        result[field] = mergeTyped(live[field], value, fieldSchema(schema, field));
      }
    }
    return result;
  }
  if (!(Array.isArray(applied) && Array.isArray(live)) || listType(schema) === "atomic") {
    return applied;
  }
  const result = [...live];
  for (const item of applied) {
    const name = elementOf(item, schema);
    const index = result.findIndex((have) => elementOf(have, schema) === name);
    if (index < 0) result.push(item);
    else result[index] = mergeTyped(result[index], item, itemSchema(schema));
  }
  return result;
}

/**
 * Takes fields out. What becomes empty by that goes too, unless `isKept` says that somebody
 * owns it.
 */
export function removePaths(
  object: JsonObject,
  schema: Schema,
  paths: ReadonlySet<PathKey>,
  isKept: (path: PathKey) => boolean,
): JsonObject {
  const reduce = (value: Json, inner: Schema, path: string[]): Json | undefined => {
    const key = JSON.stringify(path);
    if (paths.has(key)) return undefined;
    const after = isObject(value)
      ? reduceObject(value, inner, path)
      : Array.isArray(value) && listType(inner) !== "atomic"
        ? reduceList(value, inner, path)
        : value;
    const isEmpty = Array.isArray(after)
      ? after.length === 0
      : isObject(after) && Object.keys(after).length === 0;
    return isEmpty && !same(after, value) && !isKept(key) ? undefined : after;
  };
  const reduceObject = (value: JsonObject, inner: Schema, path: string[]): JsonObject => {
    if (isAtomicMap(inner)) return value;
    const fields = Object.entries(value).map(([field, part]): [string, Json | undefined] => [
      field,
      part === undefined
        ? undefined
        : reduce(part, fieldSchema(inner, field), [...path, `f:${field}`]),
    ]);
    return Object.fromEntries(fields.filter(([, part]) => part !== undefined));
  };
  const reduceList = (value: Json[], inner: Schema, path: string[]): Json[] =>
    value.flatMap((item) => {
      const left = reduce(item, itemSchema(inner), [...path, elementOf(item, inner)]);
      return left === undefined ? [] : [left];
    });
  return reduceObject(object, schema, []);
}
