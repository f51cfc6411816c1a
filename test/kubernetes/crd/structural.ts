import type { Cause } from "../api-error.ts";
import { copy, type Json } from "../json.ts";
import type { Schema } from "../schema/definitions.ts";
import { compileRule } from "./cel.ts";
import { prune } from "./shape.ts";
import { cause, validate } from "./validate.ts";

const FORBIDDEN = [
  ...["$ref", "id", "$schema", "definitions", "dependencies", "patternProperties"],
  ...["deprecated", "discriminator", "readOnly", "writeOnly", "xml", "additionalItems", "const"],
];
const NOT_IN_JUNCTIONS = ["type", "description", "default", "additionalProperties", "nullable"];

/** What keeps a schema from being structural, defaults that do not fit, rules that are no CEL. */
export function checkStructural(schema: Schema, path: string): Cause[] {
  const found: Cause[] = [];
  const refuse = (field: string, why: string): void => {
    found.push(cause(`${path}${field}`, "FieldValueForbidden", `Forbidden: ${why}`));
  };
  for (const keyword of FORBIDDEN) {
    if (keyword in schema) refuse(`.${keyword}`, `${keyword} is not supported`);
  }
  if (schema.uniqueItems) refuse(".uniqueItems", "uniqueItems cannot be set to true");
  if (schema.additionalProperties === false) {
    refuse(".additionalProperties", "additionalProperties cannot be set to false");
  }
  if (schema.properties && schema.additionalProperties !== undefined) {
    refuse(".additionalProperties", "additionalProperties and properties are mutual exclusive");
  }
  const mayLackType =
    schema["x-kubernetes-int-or-string"] || schema["x-kubernetes-preserve-unknown-fields"];
  if (!schema.type && !mayLackType) {
    const why = "Required value: must not be empty for specified object fields";
    found.push(cause(`${path}.type`, "FieldValueRequired", why));
  }
  if (schema.type === "array" && !schema.items) {
    found.push(cause(`${path}.items`, "FieldValueRequired", "Required value: must be specified"));
  }
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  for (const key of keys) {
    const { required = [], properties = {} } = schema.items ?? {};
    if (!required.includes(key) && properties[key]?.default === undefined) {
      refuse(".items", `the key ${key} of a list of type map must be required or have a default`);
    }
  }
  found.push(...checkDefault(schema, path), ...checkCel(schema, path));
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    found.push(...checkStructural(inner, `${path}.properties[${name}]`));
  }
  if (schema.items) found.push(...checkStructural(schema.items, `${path}.items`));
  if (typeof schema.additionalProperties === "object") {
    found.push(...checkStructural(schema.additionalProperties, `${path}.additionalProperties`));
  }
  return [...found, ...checkJunctions(schema, path)];
}

function checkDefault(schema: Schema, path: string): Cause[] {
  if (schema.default === undefined) return [];
  const unknown = prune({ value: copy(schema.default) }, { properties: { value: schema } });
  return [
    ...unknown.map((field) =>
      cause(`${path}.default`, "FieldValueInvalid", `Invalid value: unknown field ${field}`),
    ),
    ...validate(schema.default, schema, `${path}.default`),
  ];
}

function checkCel(schema: Schema, path: string): Cause[] {
  return (schema["x-kubernetes-validations"] ?? []).flatMap(({ rule, messageExpression }, index) =>
    [rule, messageExpression].flatMap((text) => {
      if (text === undefined) return [];
      try {
        compileRule(text);
        return [];
      } catch (error) {
        const where = `${path}.x-kubernetes-validations[${index}].rule`;
        const why = `compilation failed: ${error instanceof Error ? error.message : String(error)}`;
        return [cause(where, "FieldValueInvalid", `Invalid value: "${text}": ${why}`)];
      }
    }),
  );
}

/** In allOf, anyOf, oneOf and not a schema may limit values, not shape them. */
function checkJunctions(schema: Schema, path: string): Cause[] {
  const { allOf = [], anyOf = [], oneOf = [], not } = schema;
  const isEither = schema["x-kubernetes-int-or-string"] === true;
  const inside = { allOf, anyOf, oneOf, not: not ? [not] : [] };
  return Object.entries(inside).flatMap(([keyword, schemas]) =>
    schemas.flatMap((inner, index) =>
      NOT_IN_JUNCTIONS.filter(
        (each) =>
          (inner as { [key: string]: Json })[each] !== undefined && !(isEither && each === "type"),
      ).map((each) =>
        cause(
          `${path}.${keyword}[${index}].${each}`,
          "FieldValueForbidden",
          "Forbidden: must be empty to be structural",
        ),
      ),
    ),
  );
}
