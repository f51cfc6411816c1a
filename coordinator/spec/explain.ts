import type { z } from "zod";
import { expectation, homesOf, keysAt, schemaAt } from "./expectation.ts";
import { type JobPath, joinAlternatives, type Problem } from "./problems.ts";
import { nearestName } from "./suggest.ts";
import { valueAt } from "./value-at.ts";

type Issue = z.core.$ZodIssue;

/** What a schema violation means to the person who wrote `raw`. */
export function explainIssues(issues: readonly Issue[], raw: unknown): Problem[] {
  const problems = new Map<string, Problem>();
  for (const issue of issues.flatMap((issue) => unfold(issue, raw, []))) {
    for (const problem of explain(issue, raw)) {
      // Two checks of one value may both fail; the first says enough.
      const key = JSON.stringify(problem.path);
      if (!problems.has(key)) problems.set(key, problem);
    }
  }
  return [...problems.values()];
}

/** Replaces a failed union by the failures of the branch that was meant. */
function unfold(issue: Issue, raw: unknown, base: JobPath): Issue[] {
  const path = [...base, ...issue.path] as (string | number)[];
  if (issue.code !== "invalid_union") return [{ ...issue, path }];
  const meant = issue.errors.find((branch) =>
    branch.every((inner) => inner.path.length > 0 || !isTypeMismatch(inner)),
  );
  return meant === undefined
    ? [{ ...issue, path }]
    : meant.flatMap((inner) => unfold(inner, raw, path));
}

function isTypeMismatch(issue: Issue): boolean {
  return issue.code === "invalid_type" || issue.code === "invalid_value";
}

function explain(issue: Issue, raw: unknown): Problem[] {
  const path = issue.path as JobPath;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: unknownKey(path, key),
      at: "key",
    }));
  }
  const schema = schemaAt(path);
  const wanted = schema === undefined ? "another value" : expectation(schema);
  const about = schema?.description ?? "";
  const value = valueAt(raw, path);
  if (value === undefined) return [{ path, message: `is missing; add it. ${about}`.trim() }];
  if (value === null) return [{ path, message: `has no value; use ${wanted}, or remove the key` }];
  if (issue.code === "too_small" || issue.code === "too_big") {
    return [{ path, message: `${show(value)} is out of range; use ${wanted}` }];
  }
  if (issue.code === "invalid_format") {
    return [{ path, message: `${show(value)} does not fit. ${about}` }];
  }
  return [
    { path, message: `${show(value)} is ${kindOf(value)}${remedy(value, wanted, schema?.enum)}` },
  ];
}

function remedy(value: unknown, wanted: string, choices: readonly unknown[] = []): string {
  if (typeof value !== "string") return `; use ${wanted}`;
  if (/number/.test(wanted) && value.trim() !== "" && Number.isFinite(Number(value))) {
    return `, but must be ${wanted}; remove the quotes`;
  }
  const nearest = nearestName(value, choices.map(String));
  return nearest === undefined
    ? `; use ${wanted}`
    : `, but must be ${wanted}; did you mean ${nearest}?`;
}

function unknownKey(parent: JobPath, key: string): string {
  const siblings = keysAt(parent);
  const nearest = nearestName(key, siblings);
  if (nearest !== undefined) return `unknown key; did you mean ${nearest}?`;
  const homes = homesOf(key);
  if (homes.length > 0) return `unknown key here; did you mean ${joinAlternatives(homes)}?`;
  return `unknown key; the keys here are ${siblings.join(", ")}`;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return "not a finite number";
    return Number.isInteger(value) ? "a whole number" : "a number with a fraction";
  }
  if (typeof value === "boolean") return "true or false";
  return typeof value === "string" ? "text" : "a mapping";
}

function show(value: unknown): string {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : spell(value);
  if (typeof value === "object") return Array.isArray(value) ? "[…]" : "{…}";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}

/** As YAML writes it; a number too large to hold is .inf too. */
function spell(value: number): string {
  if (Number.isNaN(value)) return ".nan";
  return value > 0 ? ".inf" : "-.inf";
}
