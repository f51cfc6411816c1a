import type { z } from "zod";
import { expectation } from "../../spec/expectation.ts";
import type { JsonSchema } from "../../spec/json-schema.ts";
import type { JobPath, Problem } from "../../spec/problems.ts";
import { nearestName } from "../../spec/suggest.ts";
import { valueAt } from "../../spec/value-at.ts";
import { templateProblems } from "../children/template-problems.ts";
import { jobSections } from "./job-sections.ts";
import {
  type KubernetesSection,
  kubernetesJsonSchema,
  kubernetesSection,
} from "./kubernetes-section.ts";

const SCHEMA = kubernetesJsonSchema();
const SECTIONS = Object.keys(jobSections());

/** What a spec says beside the job's sections, or what is wrong with it, below `spec`. */
export function readKubernetesSection(
  spec: Record<string, unknown>,
): { section: KubernetesSection } | { problems: Problem[] } {
  const own = Object.fromEntries(Object.entries(spec).filter(([key]) => !SECTIONS.includes(key)));
  const parsed = kubernetesSection.safeParse(own);
  if (!parsed.success) {
    return { problems: parsed.error.issues.flatMap((issue) => explain(issue, own)) };
  }
  const { nodes, template } = parsed.data;
  const problems = [...nodesProblems(nodes), ...templateProblems(template)];
  return problems.length > 0 ? { problems } : { section: parsed.data };
}

function nodesProblems({ min, max }: KubernetesSection["nodes"]): Problem[] {
  if (min === undefined || min <= max) return [];
  const message = `${min} is above nodes.max ${max}; use at most ${max}`;
  return [{ path: ["spec", "nodes", "min"], message }];
}

function explain(issue: z.core.$ZodIssue, own: unknown): Problem[] {
  const below = issue.path as JobPath;
  const path = ["spec", ...below];
  const schema = schemaAt(below);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(below, key) }));
  }
  const value = valueAt(own, below);
  const about = schema?.description ?? "";
  if (value === undefined) return [{ path, message: `is missing; add it. ${about}`.trim() }];
  if (issue.code === "invalid_format") {
    const message = `${JSON.stringify(value)} is no name in Kubernetes; use lower-case letters, digits, dots and hyphens`;
    return [{ path, message }];
  }
  const wanted = schema === undefined ? "another value" : expectation(schema);
  return [{ path, message: `${JSON.stringify(value)} does not fit; use ${wanted}` }];
}

function schemaAt(path: JobPath): JsonSchema | undefined {
  return path.reduce<JsonSchema | undefined>((node, key) => node?.properties?.[key], SCHEMA);
}

function unknownKey(parent: JobPath, key: string): string {
  const own = Object.keys(schemaAt(parent)?.properties ?? {});
  const keys = parent.length === 0 ? [...SECTIONS, ...own] : own;
  const nearest = nearestName(key, keys);
  if (nearest !== undefined) return `unknown key; did you mean ${nearest}?`;
  return key === "name"
    ? "unknown key; a MoETrainingJob is called by metadata.name"
    : `unknown key; the keys here are ${keys.join(", ")}`;
}
