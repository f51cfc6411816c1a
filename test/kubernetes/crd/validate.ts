import type { Cause } from "../api-error.ts";
import { isObject, type Json, type JsonObject, same } from "../json.ts";
import { fieldSchema, itemSchema, resolve, type Schema } from "../schema/definitions.ts";
import { limits } from "./limits.ts";

export function cause(field: string, reason: string, message: string): Cause {
  return { reason, message, field: field || "<nil>" };
}

export function invalidValue(field: string, value: Json, why: string): Cause {
  const shown = isObject(value) ? '"object"' : JSON.stringify(value);
  return cause(field, "FieldValueInvalid", `Invalid value: ${shown}: ${why}`);
}

/** What the schema has against a value, in the API server's words. */
export function validate(value: Json, schema: Schema, path = ""): Cause[] {
  const wrong = wrongType(value, schema);
  if (wrong !== undefined) {
    const inBody = path === "" ? "" : `${path} in body `;
    const why = `${inBody}must be of type ${wrong}: "${typeOf(value)}"`;
    return [
      cause(
        path,
        "FieldValueTypeInvalid",
        `Invalid value: ${JSON.stringify(typeOf(value))}: ${why}`,
      ),
    ];
  }
  if (value === null) return [];
  return [
    ...limits(value, schema).map((why) => invalidValue(path, value, `${path} in body ${why}`)),
    ...chosen(value, schema, path),
    ...junctions(value, schema, path),
    ...(isObject(value) ? fields(value, schema, path) : []),
    ...(Array.isArray(value) ? items(value, schema, path) : []),
  ];
}

function typeOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

/** The type that was expected, if the value has another one. */
function wrongType(value: Json, schema: Schema): string | undefined {
  const type = typeOf(value);
  if (type === "null") return schema.nullable || !schema.type ? undefined : schema.type;
  const isEither =
    schema["x-kubernetes-int-or-string"] === true ||
    schema.format === "int-or-string" ||
    schema.format === "quantity";
  if (isEither) {
    const isFine = type === "integer" || type === "string" || schema.format === "quantity";
    return isFine ? undefined : "integer,string";
  }
  if (schema.type === undefined || schema.type === type) return undefined;
  return schema.type === "number" && type === "integer" ? undefined : schema.type;
}

function chosen(value: Json, schema: Schema, path: string): Cause[] {
  if (!schema.enum || schema.enum.some((allowed) => same(allowed, value))) return [];
  const allowed = schema.enum.map((each) => JSON.stringify(each)).join(", ");
  const why = `Unsupported value: ${JSON.stringify(value)}: supported values: ${allowed}`;
  return [cause(path, "FieldValueNotSupported", why)];
}

function junctions(value: Json, schema: Schema, path: string): Cause[] {
  const fits = (each: Schema): boolean => validate(value, each, path).length === 0;
  const { allOf = [], anyOf = [], oneOf, not } = schema;
  const own = `"${path}" must validate`;
  return [
    ...allOf.flatMap((each) => validate(value, each, path)),
    ...(anyOf.length > 0 && !anyOf.some(fits)
      ? [invalidValue(path, value, `${own} at least one schema (anyOf)`)]
      : []),
    ...(oneOf && oneOf.filter(fits).length !== 1
      ? [invalidValue(path, value, `${own} one and only one schema (oneOf)`)]
      : []),
    ...(not && fits(not) ? [invalidValue(path, value, `"${path}" must not validate (not)`)] : []),
  ];
}

function fields(value: JsonObject, schema: Schema, path: string): Cause[] {
  const inner = (field: string): string => (path === "" ? field : `${path}.${field}`);
  const missing = (schema.required ?? []).filter((field) => value[field] === undefined);
  return [
    ...missing.map((field) => cause(inner(field), "FieldValueRequired", "Required value")),
    ...Object.entries(value).flatMap(([field, part]) =>
      part === undefined ? [] : validate(part, fieldSchema(schema, field), inner(field)),
    ),
  ];
}

function items(value: Json[], schema: Schema, path: string): Cause[] {
  const inner = resolve(schema.items);
  return [
    ...value.flatMap((item, index) => validate(item, inner, `${path}[${index}]`)),
    ...duplicates(value, schema, path),
  ];
}

/** Items of lists of type map or set that are there twice. */
function duplicates(value: Json[], schema: Schema, path: string): Cause[] {
  const type = schema["x-kubernetes-list-type"];
  if (type !== "map" && type !== "set") return [];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const nameOf = (item: Json): string => {
    if (type === "set" || !isObject(item)) return JSON.stringify(item);
    const defaults = itemSchema(schema).properties ?? {};
    return JSON.stringify(keys.map((key) => item[key] ?? defaults[key]?.default ?? null));
  };
  const names = value.map(nameOf);
  return value.flatMap((item, index) => {
    if (names.indexOf(nameOf(item)) === index) return [];
    const shown = isObject(item)
      ? Object.fromEntries(keys.map((key) => [key, item[key] ?? null]))
      : item;
    const why = `Duplicate value: ${JSON.stringify(shown)}`;
    return [cause(`${path}[${index}]`, "FieldValueDuplicate", why)];
  });
}
