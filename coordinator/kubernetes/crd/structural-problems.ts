import { isMapping } from "../../spec/mapping.ts";
import type { StructuralSchema } from "./structural.ts";

/** Every keyword that a structural schema of the CRD may have. */
const KEYWORDS = new Set([
  ...["type", "description", "default", "enum", "format", "pattern", "minimum", "maximum"],
  ...["minLength", "maxLength", "minItems", "maxItems", "items", "properties", "required"],
  ...["x-kubernetes-list-type", "x-kubernetes-list-map-keys"],
  ...["x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"],
]);

/**
 * What the API server would refuse a schema for: fields without a type, keywords that are not
 * structural, text and lists without an end that rules would be too dear for, defaults that do
 * not fit. Each as `path: what`.
 */
export function structuralProblems(schema: StructuralSchema, path = ""): string[] {
  const own: string[] = [];
  if (typeof schema.type !== "string") own.push(`${path}: has no type`);
  for (const key of Object.keys(schema)) {
    if (!KEYWORDS.has(key)) own.push(`${path}: ${key} is not structural`);
  }
  if (schema.type === "array" && !schema.items) own.push(`${path}: a list of what?`);
  if (schema.type === "array" && schema.maxItems === undefined) own.push(`${path}: no end`);
  for (const key of schema.required ?? []) {
    if (!schema.properties?.[key]) own.push(`${path}: requires ${key}, which it does not have`);
  }
  const below = Object.entries(schema.properties ?? {}).flatMap(([key, one]) =>
    structuralProblems(one, `${path}.${key}`),
  );
  const ofItems = schema.items ? structuralProblems(schema.items, `${path}[]`) : [];
  const ofDefault =
    schema.default === undefined
      ? []
      : valueProblems(schema.default, schema, `${path}: its default`);
  return [...own, ...below, ...ofItems, ...ofDefault];
}

/** Why a value does not fit a structural schema, its rules apart; defaults count as given. */
export function valueProblems(value: unknown, schema: StructuralSchema, path: string): string[] {
  if (schema.enum && !schema.enum.includes(value)) return [`${path}: is none of the choices`];
  switch (schema.type) {
    case "object": {
      if (!isMapping(value)) return [`${path}: is no object`];
      const { properties = {}, required = [] } = schema;
      const isOpen = schema["x-kubernetes-preserve-unknown-fields"];
      return [
        ...required
          .filter((key) => value[key] === undefined && properties[key]?.default === undefined)
          .map((key) => `${path}.${key}: is required`),
        ...Object.entries(value).flatMap(([key, one]) => {
          const property = properties[key];
          if (property) return valueProblems(one, property, `${path}.${key}`);
          return isOpen ? [] : [`${path}.${key}: is unknown`];
        }),
      ];
    }
    case "array": {
      if (!Array.isArray(value)) return [`${path}: is no list`];
      const { items, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
      const isLong = value.length < minItems || value.length > maxItems;
      return [
        ...(isLong ? [`${path}: has ${value.length} entries`] : []),
        ...value.flatMap((one, index) =>
          items ? valueProblems(one, items, `${path}[${index}]`) : [],
        ),
      ];
    }
    case "integer": {
      const { minimum = -Infinity, maximum = Infinity } = schema;
      const fits = Number.isInteger(value) && Number(value) >= minimum && Number(value) <= maximum;
      return fits ? [] : [`${path}: ${value} is no such integer`];
    }
    case "boolean":
      return typeof value === "boolean" ? [] : [`${path}: is no boolean`];
    case "string": {
      if (typeof value !== "string") return [`${path}: is no string`];
      const { minLength = 0, maxLength = Infinity, pattern = "" } = schema;
      const fits = value.length >= minLength && value.length <= maxLength;
      return fits && new RegExp(pattern).test(value) ? [] : [`${path}: ${value} does not fit`];
    }
  }
}
