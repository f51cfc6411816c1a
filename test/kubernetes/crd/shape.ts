import { copy, isObject, type Json, type JsonObject } from "../json.ts";
import { fieldSchema, itemSchema, keepsUnknown, type Schema } from "../schema/definitions.ts";

const EVERY_OBJECTS = ["apiVersion", "kind", "metadata"];

/** Drops fields that the schema does not name; gives back their paths. */
export function prune(value: Json, schema: Schema, path = ""): string[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => prune(item, itemSchema(schema), `${path}[${index}]`));
  }
  if (!isObject(value)) return [];
  const isResource = path === "" || schema["x-kubernetes-embedded-resource"] === true;
  return Object.entries(value).flatMap(([field, part]) => {
    const inner = path === "" ? field : `${path}.${field}`;
    const known =
      schema.properties?.[field] !== undefined ||
      typeof schema.additionalProperties === "object" ||
      schema.additionalProperties === true;
    if (!known && !(isResource && EVERY_OBJECTS.includes(field)) && !keepsUnknown(schema)) {
      delete value[field];
      return [inner];
    }
    return part === undefined ? [] : prune(part, fieldSchema(schema, field), inner);
  });
}

/** Sets the schema's defaults where fields are absent, or null and not nullable. */
export function setDefaults(value: Json, schema: Schema): void {
  if (Array.isArray(value)) for (const item of value) setDefaults(item, itemSchema(schema));
  if (!isObject(value)) return;
  for (const field of Object.keys(schema.properties ?? {})) {
    const inner = fieldSchema(schema, field);
    if (value[field] === null && inner.nullable !== true && inner.default !== undefined) {
      delete value[field];
    }
    if (value[field] === undefined && inner.default !== undefined) {
      value[field] = copy(inner.default);
    }
  }
  for (const [field, part] of Object.entries(value)) {
    if (part !== undefined) setDefaults(part, fieldSchema(schema, field));
  }
}

/** Null says absent in the built-in kinds. */
export function dropNulls(value: JsonObject): void {
  for (const [field, part] of Object.entries(value)) {
    if (part === null) delete value[field];
    else if (isObject(part)) dropNulls(part);
    else if (Array.isArray(part)) for (const item of part) if (isObject(item)) dropNulls(item);
  }
}
