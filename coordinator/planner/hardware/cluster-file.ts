import { resolve } from "node:path";
import type { z } from "zod";
import { type JobPath, type Problem, problemsToError } from "../../spec/problems.ts";
import { readTextFile } from "../../spec/read-text.ts";
import { nearestName } from "../../spec/suggest.ts";
import { valueAt } from "../../spec/value-at.ts";
import { parseYaml } from "../../spec/yaml-source.ts";
import type { Cluster } from "./cluster.ts";
import {
  type ClusterDocument,
  clusterDocumentSchema,
  fromClusterFile,
  MAX_GPUS,
} from "./cluster-document.ts";

/** What a job says of a cluster in the file's stead. */
export interface ClusterSizes {
  nodes?: number | undefined;
  gpusPerNode?: number | undefined;
}

/**
 * Reads a cluster file, YAML or JSON, written by hand or by `moestro probe`.
 *
 * @param name the path as the user typed it; errors repeat it
 * @throws MoestroError `invalid_input`, one `file:line:col: path: what, rule, remedy` line each
 */
export async function loadCluster(name: string, sizes: ClusterSizes = {}): Promise<Cluster> {
  return parseCluster(await readTextFile(resolve(name), name), name, sizes);
}

/** `loadCluster` for text already read. */
export function parseCluster(text: string, name: string, sizes: ClusterSizes = {}): Cluster {
  const { raw, source } = parseYaml(text, name);
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    const message = "is no cluster file; it has name, nodes, gpusPerNode, accelerator and intra";
    throw problemsToError([{ path: [], message }], source);
  }
  const parsed = clusterDocumentSchema.safeParse(raw);
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => explain(issue, raw));
    throw problemsToError(firstPerPath(problems), source);
  }
  const { nodes = parsed.data.nodes, gpusPerNode = parsed.data.gpusPerNode } = sizes;
  const document = { ...parsed.data, nodes, gpusPerNode };
  const problems = checkRules(document);
  if (problems.length > 0) throw problemsToError(problems, source);
  return fromClusterFile(document);
}

/** What a schema cannot say: curves ascend, a domain holds a node, nodes are joined. */
function checkRules(document: ClusterDocument): Problem[] {
  const problems: Problem[] = [];
  for (const name of ["intra", "inter"] as const) {
    const curve = document[name]?.curve ?? [];
    for (const [index, [size]] of curve.entries()) {
      const before = curve[index - 1]?.[0];
      if (before === undefined || size > before) continue;
      const message = `size ${size} follows ${before}; sort the curve by message size, each size once`;
      problems.push({ path: [name, "curve", index], message });
    }
  }
  const { nodes, gpusPerNode, gpusPerDomain = gpusPerNode } = document;
  if (nodes * gpusPerNode > MAX_GPUS) {
    const message = `${nodes} of ${gpusPerNode} GPUs are ${nodes * gpusPerNode}; use at most ${MAX_GPUS} GPUs`;
    problems.push({ path: ["nodes"], message });
  }
  if (gpusPerDomain < gpusPerNode) {
    const message = `${gpusPerDomain} is less than gpusPerNode ${gpusPerNode}; use at least that, or remove it`;
    problems.push({ path: ["gpusPerDomain"], message });
  }
  if (nodes > 1 && document.inter === undefined) {
    const message = `${nodes} nodes need the link between them; add inter with latencyMicroseconds and curve`;
    problems.push({ path: ["nodes"], message });
  }
  const peaks = document.accelerator.peakTflops;
  const shares = document.accelerator.achievable;
  for (const precision of ["fp32", "bf16", "fp8"] as const) {
    if ((peaks[precision] === undefined) === (shares[precision] === undefined)) continue;
    const [has, lacks] =
      peaks[precision] === undefined
        ? (["achievable", "peakTflops"] as const)
        : (["peakTflops", "achievable"] as const);
    const message = `${precision} stands here and not in ${lacks}; give both or neither`;
    problems.push({ path: ["accelerator", has, precision], message });
  }
  return problems;
}

function explain(issue: z.core.$ZodIssue, raw: unknown): Problem[] {
  const path = issue.path as JobPath;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const nearest = nearestName(key, keysAt(path));
      const remedy = nearest === undefined ? "remove it" : `did you mean ${nearest}?`;
      return { path: [...path, key], message: `unknown key; ${remedy}`, at: "key" };
    });
  }
  const value = valueAt(raw, path);
  if (value === undefined) return [{ path, message: "is missing; add it" }];
  const shown = show(value);
  if (issue.code === "too_small" || issue.code === "too_big") {
    const isList = Array.isArray(value);
    const bound = issue.code === "too_small" ? issue.minimum : issue.maximum;
    const exclusive = issue.inclusive === false;
    const relation =
      issue.code === "too_small"
        ? exclusive
          ? "above"
          : "at least"
        : exclusive
          ? "below"
          : "at most";
    const what = isList ? `has the wrong length (${value.length})` : "is out of range";
    const entries = isList ? ` ${bound === 1 ? "entry" : "entries"}` : "";
    return [{ path, message: `${shown} ${what}; use ${relation} ${bound}${entries}` }];
  }
  if (issue.code === "invalid_value") {
    return [{ path, message: `${shown} is unknown; use ${issue.values.join(" or ")}` }];
  }
  if (issue.code === "invalid_type") {
    const wanted =
      {
        int: "a whole number",
        array: "a list",
        tuple: "a pair [kilobytes of a message, gigabytes a second]",
        object: "a mapping",
        string: "text",
      }[issue.expected as string] ?? `a ${issue.expected}`;
    const finite = wanted === "a number" ? "a finite number" : wanted;
    return [{ path, message: `${shown} does not fit; use ${finite}` }];
  }
  const remedy = "give at least one of fp32, bf16 and fp8";
  return [
    { path, message: issue.code === "custom" ? `is empty; ${remedy}` : `${shown} does not fit` },
  ];
}

function firstPerPath(problems: readonly Problem[]): Problem[] {
  const byPath = new Map<string, Problem>();
  for (const problem of problems) {
    const key = JSON.stringify(problem.path);
    if (!byPath.has(key)) byPath.set(key, problem);
  }
  return [...byPath.values()];
}

const LINK_KEYS = ["latencyMicroseconds", "curve", "allReduceGain"];
const RATE_KEYS = ["fp32", "bf16", "fp8"];
const KEYS: Record<string, readonly string[]> = {
  "": Object.keys(clusterDocumentSchema.shape),
  accelerator: Object.keys(clusterDocumentSchema.shape.accelerator.shape),
  intra: LINK_KEYS,
  inter: LINK_KEYS,
  "accelerator.peakTflops": RATE_KEYS,
  "accelerator.achievable": RATE_KEYS,
};

function keysAt(path: JobPath): readonly string[] {
  return KEYS[path.join(".")] ?? [];
}

function show(value: unknown): string {
  if (typeof value === "number" || value === null) return String(value);
  if (typeof value === "object") return Array.isArray(value) ? "[…]" : "{…}";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}
