import {
  type CelInput,
  type CelResult,
  CelScalar,
  celEnv,
  celMethod,
  listType,
  parse,
  plan,
} from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import type { Cause } from "../api-error.ts";
import { isObject, type Json, type JsonObject } from "../json.ts";
import { fieldSchema, itemSchema, type Rule, type Schema } from "../schema/definitions.ts";
import { cause, invalidValue } from "./validate.ts";

const { DYN, BOOL, INT } = CelScalar;
const LIST = listType(DYN);
/** What Kubernetes adds to CEL's own functions and those of its strings extension. */
const KUBERNETES = [
  celMethod("isSorted", LIST, [], BOOL, function () {
    const items = [...this] as (string | number | bigint)[];
    return items.every((item, index) => index === 0 || (items[index - 1] ?? item) <= item);
  }),
  celMethod("sum", LIST, [], INT, function () {
    return [...this].reduce<bigint>((sum, item) => sum + BigInt(item as bigint), 0n);
  }),
];
const ENVIRONMENT = celEnv({
  variables: { self: DYN, oldSelf: DYN },
  funcs: [...strings, ...KUBERNETES],
});
const compiled = new Map<string, (bindings: { self: CelInput; oldSelf: CelInput }) => CelResult>();

/** Makes a rule ready to run, once. Throws where the rule is no CEL. */
export function compileRule(rule: string) {
  const known = compiled.get(rule);
  if (known) return known;
  const evaluate = plan(ENVIRONMENT, parse(rule));
  compiled.set(rule, evaluate);
  return evaluate;
}

function isTransition(rule: Rule): boolean {
  return /\boldSelf\b/.test(rule.rule);
}

/** What the rules in a schema have against a value; rules with `oldSelf` run on updates only. */
export function checkRules(value: Json, old: Json | undefined, schema: Schema, path = ""): Cause[] {
  const rules = schema["x-kubernetes-validations"] ?? [];
  const own = rules
    .filter((rule) => old !== undefined || !isTransition(rule))
    .flatMap((rule) => runRule(rule, value, old, schema, path));
  return [...own, ...inside(value, old, schema, path)];
}

function inside(value: Json, old: Json | undefined, schema: Schema, path: string): Cause[] {
  if (isObject(value)) {
    return Object.entries(value).flatMap(([field, part]) => {
      const before = isObject(old) ? old[field] : undefined;
      const inner = path === "" ? field : `${path}.${field}`;
      return part === undefined ? [] : checkRules(part, before, fieldSchema(schema, field), inner);
    });
  }
  if (!Array.isArray(value)) return [];
  const keys = schema["x-kubernetes-list-map-keys"];
  const nameOf = (item: Json): string =>
    JSON.stringify(keys?.map((key) => (isObject(item) ? (item[key] ?? null) : null)));
  return value.flatMap((item, index) => {
    // Items of lists without keys are not the same item from one state to the next.
    const before =
      keys && Array.isArray(old) ? old.find((each) => nameOf(each) === nameOf(item)) : undefined;
    return checkRules(item, before, itemSchema(schema), `${path}[${index}]`);
  });
}

function runRule(
  rule: Rule,
  value: Json,
  old: Json | undefined,
  schema: Schema,
  path: string,
): Cause[] {
  const isRoot = path === "";
  const bindings = {
    self: toCel(value, schema, isRoot),
    oldSelf: old === undefined ? null : toCel(old, schema, isRoot),
  };
  const where = `${path}${rule.fieldPath ?? ""}`.replace(/^\./, "");
  const result = compileRule(rule.rule)(bindings);
  if (result === true) return [];
  if (result !== false) {
    const why = `rule: ${rule.rule}: ${result instanceof Error ? result.message : String(result)}`;
    return [invalidValue(where, value, why)];
  }
  const told = rule.messageExpression && compileRule(rule.messageExpression)(bindings);
  const message = typeof told === "string" && told !== "" ? told : rule.message;
  const text = message ?? `failed rule: ${rule.rule}`;
  if (rule.reason === "FieldValueRequired") {
    return [cause(where, rule.reason, `Required value: ${text}`)];
  }
  return [{ ...invalidValue(where, value, text), reason: rule.reason ?? "FieldValueInvalid" }];
}

/** A value as CEL sees it: integers by the schema, and fields that the schema names. */
function toCel(value: Json, schema: Schema, isRoot = false): CelInput {
  if (typeof value === "number") {
    return schema.type === "number" || !Number.isInteger(value) ? value : BigInt(value);
  }
  if (Array.isArray(value)) return value.map((item) => toCel(item, itemSchema(schema)));
  if (!isObject(value)) return value;
  const fields = Object.entries(isRoot ? rootFields(value) : value);
  return new Map(
    fields
      .filter(([, part]) => part !== undefined && part !== null)
      .map(([field, part]): [string, CelInput] => [
        schema.properties?.[field] ? escaped(field) : field,
        toCel(part as Json, fieldSchema(schema, field)),
      ]),
  );
}

/** Of metadata, rules see the name alone. */
function rootFields(value: JsonObject): JsonObject {
  const { name, generateName } = isObject(value.metadata) ? value.metadata : {};
  return { ...value, metadata: { name, generateName } };
}

const RESERVED = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

function escaped(field: string): string {
  if (RESERVED.has(field)) return `__${field}__`;
  return field
    .replaceAll("__", "__underscores__")
    .replaceAll(".", "__dot__")
    .replaceAll("-", "__dash__")
    .replaceAll("/", "__slash__");
}
