import { readFileSync } from "node:fs";
import type { Json } from "../json.ts";

/** A rule in CEL, of `x-kubernetes-validations`. */
export type Rule = {
  rule: string;
  message?: string;
  messageExpression?: string;
  reason?: string;
  fieldPath?: string;
};

/** As far as Kubernetes' schemas go, those published and those of CRDs. */
export type Schema = {
  $ref?: string;
  type?: string;
  format?: string;
  description?: string;
  properties?: { [name: string]: Schema };
  additionalProperties?: Schema | boolean;
  items?: Schema;
  required?: string[];
  default?: Json;
  enum?: Json[];
  nullable?: boolean;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  not?: Schema;
  "x-kubernetes-list-type"?: string;
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: string;
  "x-kubernetes-patch-merge-key"?: string;
  "x-kubernetes-patch-strategy"?: string;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-embedded-resource"?: boolean;
  "x-kubernetes-validations"?: Rule[];
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
};

const FILE = new URL("kubernetes-1.34.jsonl", import.meta.url);

/** Kubernetes' published definitions by name, `$ref`s by bare name. */
export const DEFINITIONS: ReadonlyMap<string, Schema> = new Map(
  readFileSync(FILE, "utf8")
    .trim()
    .split("\n")
    .map((line): [string, Schema] => {
      const { name, schema } = JSON.parse(line) as { name: string; schema: Schema };
      return [name, schema];
    }),
);

export const OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** The schema that a reference leads to; an empty one, which says nothing, where there is none. */
export function resolve(schema: Schema | undefined): Schema {
  if (schema === undefined) return {};
  if (schema.$ref === undefined) return schema;
  return { ...DEFINITIONS.get(schema.$ref), description: schema.description ?? "" };
}

/** The schema of a field of an object. */
export function fieldSchema(schema: Schema, field: string): Schema {
  const known = schema.properties?.[field];
  if (known !== undefined) return resolve(known);
  return typeof schema.additionalProperties === "object"
    ? resolve(schema.additionalProperties)
    : {};
}

/** The schema of a list's items. */
export function itemSchema(schema: Schema): Schema {
  return resolve(schema.items);
}

/** Whether fields that the schema does not name may stay. */
export function keepsUnknown(schema: Schema): boolean {
  if (schema["x-kubernetes-preserve-unknown-fields"] === true) return true;
  return schema.properties === undefined && schema.additionalProperties === undefined;
}
