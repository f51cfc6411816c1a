import { badRequest } from "./api-error.ts";
import { at, isObject, type Json, type JsonObject, type KubeObject } from "./json.ts";

type Requirement = { key: string; operator: string; values: string[] };

const SET = /^\s*([^\s!=,()]+)\s+(in|notin)\s*\(([^)]*)\)\s*$/;
const EQUAL = /^\s*([^\s!=,()]+)\s*(==|=|!=)\s*([^\s=!,()]*)\s*$/;
const EXISTS = /^\s*(!?)\s*([^\s!=,()]+)\s*$/;

/** Reads `a=b,c!=d,e in (f,g),h,!i`. Throws a 400. */
export function parseSelector(text: string): Requirement[] {
  if (text.trim() === "") return [];
  return text.split(/,(?![^(]*\))/).map((part) => {
    const [, key = "", operator = "", list = ""] = SET.exec(part) ?? [];
    if (key) return { key, operator, values: list.split(",").map((value) => value.trim()) };
    const equal = EQUAL.exec(part);
    if (equal) {
      const [, name = "", sign, value = ""] = equal;
      return { key: name, operator: sign === "!=" ? "notin" : "in", values: [value] };
    }
    const exists = EXISTS.exec(part);
    if (!exists) throw badRequest(`unable to parse requirement: ${part}`);
    return { key: exists[2] ?? "", operator: exists[1] ? "absent" : "exists", values: [] };
  });
}

function satisfies(value: string | undefined, { operator, values }: Requirement): boolean {
  if (operator === "exists") return value !== undefined;
  if (operator === "absent") return value === undefined;
  const within = value !== undefined && values.includes(value);
  return operator === "in" ? within : !within;
}

export function matchesLabels(object: KubeObject, requirements: readonly Requirement[]): boolean {
  const labels = object.metadata.labels ?? {};
  return requirements.every((requirement) => satisfies(labels[requirement.key], requirement));
}

/** Field selectors: any path into the object, `=` and `!=`. */
export function matchesFields(object: KubeObject, requirements: readonly Requirement[]): boolean {
  return requirements.every((requirement) => {
    const value = at(object, ...requirement.key.split("."));
    return satisfies(value === undefined || value === null ? "" : String(value), requirement);
  });
}

/** A selector as objects hold it: matchLabels and matchExpressions. Null matches nothing. */
export function matchesSelector(
  selector: Json | undefined,
  labels: { [key: string]: string },
): boolean {
  if (!isObject(selector)) return false;
  return requirementsOf(selector).every((each) => satisfies(labels[each.key], each));
}

function requirementsOf(selector: JsonObject): Requirement[] {
  const exact = isObject(selector.matchLabels) ? selector.matchLabels : {};
  const expressions = Array.isArray(selector.matchExpressions) ? selector.matchExpressions : [];
  return [
    ...Object.entries(exact).map(([key, value]) => ({
      key,
      operator: "in",
      values: [String(value)],
    })),
    ...expressions.filter(isObject).map(({ key, operator, values }) => ({
      key: String(key),
      operator: String(operator).toLowerCase().replace("doesnotexist", "absent"),
      values: Array.isArray(values) ? values.map(String) : [],
    })),
  ];
}

/** A selector as query text, for the scale subresource. */
export function selectorText(selector: Json | undefined): string {
  if (typeof selector === "string") return selector;
  const exact = at(selector, "matchLabels");
  if (!isObject(exact)) return "";
  return Object.entries(exact)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(",");
}
