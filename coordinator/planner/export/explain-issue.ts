import type { z } from "zod";
import { joinAlternatives } from "../../spec/problems.ts";

/** What is wrong with one value of a plan, and what is expected. */
export function explainIssue(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "custom") return issue.message;
  if (issue.code === "unrecognized_keys") return `has ${issue.keys.join(", ")}, which no plan has`;
  if (value === undefined) return "is missing";
  const shown = show(value);
  switch (issue.code) {
    case "too_small":
      return Array.isArray(value)
        ? `has ${value.length} entries, but needs at least ${issue.minimum}`
        : `${shown} must be ${issue.inclusive === false ? "above" : "at least"} ${issue.minimum}`;
    case "too_big":
      return Array.isArray(value)
        ? `has ${value.length} entries, but takes at most ${issue.maximum}`
        : `${shown} must be ${issue.inclusive === false ? "below" : "at most"} ${issue.maximum}`;
    case "invalid_value":
      return `${shown} must be ${joinAlternatives(issue.values.map(String))}`;
    case "invalid_type":
      return `${shown} must be ${EXPECTED[issue.expected] ?? issue.expected}`;
    default:
      return `${shown} is none of the values that it may have`;
  }
}

const EXPECTED: Record<string, string> = {
  int: "a whole number",
  number: "a finite number",
  string: "text",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "a mapping",
};

/** What kind of value JSON has here, in words. */
export function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null) return "null";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string" ? "text" : `a ${typeof value}`;
}

function show(value: unknown): string {
  if (typeof value === "number" || value === null) return String(value);
  if (typeof value === "object") return kindOf(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
