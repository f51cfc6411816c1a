import { isObject, type Json, type JsonObject, same } from "../json.ts";
import { fieldSchema, itemSchema, type Schema } from "../schema/definitions.ts";

/**
 * Kubernetes' strategic merge patch: lists that the schema gives a merge key are merged by
 * it; `$patch: replace` and `delete`, `$deleteFromPrimitiveList/…` and `$retainKeys` hold;
 * `$setElementOrder/…` puts named items in order.
 */
export function strategicMerge(target: Json | undefined, patch: Json, schema: Schema): Json {
  if (!isObject(patch)) return patch;
  const { $patch: directive, $retainKeys: retained, ...fields } = patch;
  if (directive === "replace") return fields;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  if (Array.isArray(retained)) {
    for (const field of Object.keys(result)) if (!retained.includes(field)) delete result[field];
  }
  for (const [field, value] of Object.entries(fields)) {
    if (field.startsWith("$")) continue;
    const inner = fieldSchema(schema, field);
    if (value === null) delete result[field];
    else if (Array.isArray(value)) {
      const order = patch[`$setElementOrder/${field}`];
      result[field] = mergeList(result[field], value, inner, order);
    } else if (value !== undefined) result[field] = strategicMerge(result[field], value, inner);
  }
  for (const [field, gone] of Object.entries(fields)) {
    const name = /^\$deleteFromPrimitiveList\/(.*)$/.exec(field)?.[1];
    const list = name && result[name];
    if (!name || !Array.isArray(list) || !Array.isArray(gone)) continue;
    result[name] = list.filter((item) => !gone.some((value) => same(value, item)));
  }
  return result;
}

function mergeList(
  target: Json | undefined,
  patch: Json[],
  schema: Schema,
  order: Json | undefined,
): Json[] {
  const merges = schema["x-kubernetes-patch-strategy"]?.split(",").includes("merge");
  const items = patch.filter((item) => !(isObject(item) && item.$patch === "replace"));
  if (!merges || items.length < patch.length) return items;
  const live = Array.isArray(target) ? [...target] : [];
  const key = schema["x-kubernetes-patch-merge-key"];
  if (key === undefined) {
    return [...live, ...items.filter((item) => !live.some((have) => same(have, item)))];
  }
  const merged = items.reduce<Json[]>((list, item) => mergeItem(list, item, key, schema), live);
  if (!Array.isArray(order)) return merged;
  const rank = (item: Json): number => {
    const at = order.findIndex((each) => keyOf(each, key) === keyOf(item, key));
    return at < 0 ? order.length : at;
  };
  return merged.toSorted((a, b) => rank(a) - rank(b));
}

function mergeItem(list: Json[], item: Json, key: string, schema: Schema): Json[] {
  const index = list.findIndex((have) => keyOf(have, key) === keyOf(item, key));
  if (isObject(item) && item.$patch === "delete") return list.filter((_, at) => at !== index);
  if (index < 0) return [...list, strategicMerge({}, item, itemSchema(schema))];
  return list.with(index, strategicMerge(list[index], item, itemSchema(schema)));
}

function keyOf(item: Json, key: string): string {
  return JSON.stringify(isObject(item) ? (item[key] ?? null) : item);
}
