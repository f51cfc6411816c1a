import { type JsonSchema, jobJsonSchema } from "./json-schema.ts";
import { type JobPath, joinAlternatives } from "./problems.ts";

const SCHEMA = jobJsonSchema();

/** The schema of the value at a path, if the path is one the schema knows. */
export function schemaAt(path: JobPath): JsonSchema | undefined {
  let nodes: JsonSchema[] = [SCHEMA];
  for (const key of path) {
    nodes = nodes
      .flatMap(alternatives)
      .map((node) => (typeof key === "number" ? node.items : node.properties?.[key]))
      .filter((node) => node !== undefined);
  }
  return nodes[0];
}

/** The keys a mapping at this path may have. */
export function keysAt(path: JobPath): string[] {
  const schema = schemaAt(path);
  return schema === undefined
    ? []
    : alternatives(schema).flatMap((node) => Object.keys(node.properties ?? {}));
}

/** Sections of the job that know the key, as `section.key`. */
export function homesOf(key: string): string[] {
  return Object.keys(SCHEMA.properties ?? {})
    .filter((section) => keysAt([section]).includes(key))
    .map((section) => `${section}.${key}`);
}

/** What a value has to be, in words: `a whole number from 1 to 512`. */
export function expectation(schema: JsonSchema): string {
  return joinAlternatives([...new Set(alternatives(schema).map(expectationOfOne))]);
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  const isUnion = schema.anyOf?.every((part) => part.type !== undefined) ?? false;
  return isUnion ? (schema.anyOf ?? []).flatMap(alternatives) : [schema];
}

function expectationOfOne(schema: JsonSchema): string {
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum !== undefined) return joinAlternatives(schema.enum.map(String));
  switch (schema.type) {
    case "integer":
      return `a whole number${range(schema)}`;
    case "number":
      return `a number${range(schema)}`;
    case "boolean":
      return "true or false";
    case "array":
      return `a list, each entry ${schema.items === undefined ? "anything" : expectation(schema.items)}`;
    case "object":
      return "a mapping of keys to values";
    default:
      return "text";
  }
}

function range(schema: JsonSchema): string {
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = schema;
  const low =
    exclusiveMinimum !== undefined
      ? `above ${exclusiveMinimum}`
      : minimum !== undefined
        ? `from ${minimum}`
        : "";
  const high =
    exclusiveMaximum !== undefined
      ? `below ${exclusiveMaximum}`
      : maximum !== undefined
        ? `to ${maximum}`
        : "";
  if (low !== "" && high === "")
    return low.startsWith("from") ? ` of at least ${minimum}` : ` ${low}`;
  return [low, high]
    .filter((part) => part !== "")
    .map((part) => ` ${part}`)
    .join("");
}
