import { join } from "node:path";
import { whyEngineCannotTrain } from "../../spec/engine-model.ts";
import { type JobFile, parseJob } from "../../spec/load-job.ts";
import { isMapping } from "../../spec/mapping.ts";
import { type JobSource, type Problem, problemsToError } from "../../spec/problems.ts";
import type { Job } from "../../spec/schema.ts";
import { fromSpecValue } from "./from-spec-value.ts";
import { CLUSTER_KEYS_ELSEWHERE, jobSections } from "./job-sections.ts";
import type { KubernetesSection } from "./kubernetes-section.ts";
import { readKubernetesSection } from "./read-kubernetes-section.ts";
import { INNER_NAME, inSpecTerms } from "./spec-errors.ts";

export interface SpecOptions {
  /** metadata.name */
  name: string;
  /** Where the spec's relative paths begin. */
  folder: string;
  /** The folder that files it names must be below; everywhere if undefined. */
  within?: string | undefined;
  /** Where it was read from, so that errors can point there; of the whole manifest. */
  source?: JobSource | undefined;
}

/** A spec that was read: its job, by the same rules as a job file's, and the rest. */
export interface ReadSpec {
  section: KubernetesSection;
  /** What it is planned as; `path` and `source` are not a file's. */
  file: JobFile;
}

/**
 * The job of a MoETrainingJob's spec.
 *
 * @throws MoestroError `invalid_input` with all problems, in the spec's terms
 */
export async function jobOfSpec(spec: unknown, options: SpecOptions): Promise<ReadSpec> {
  const { name, folder, within, source } = options;
  if (!isMapping(spec)) {
    const message = "is missing; a MoETrainingJob has model, data, training and gpusPerNode there";
    throw problemsToError([{ path: ["spec"], message }], source);
  }
  const problems: Problem[] = [];
  const read = readKubernetesSection(spec);
  if ("problems" in read) problems.push(...read.problems);
  const sections = sectionsOf(spec, problems);
  if ("problems" in read || problems.length > 0) throw problemsToError(problems, source);
  const document = { name, ...sections, cluster: clusterOf(sections.cluster, read.section) };
  const file = await inSpecTerms(source, () =>
    parseJob(JSON.stringify(document), join(folder, "job.json"), INNER_NAME, within),
  );
  const untrainable = whyNotTrained(file.job);
  if (untrainable !== undefined) {
    const { path, message } = untrainable;
    throw problemsToError([{ path: ["spec", ...path], message }], source);
  }
  return { section: read.section, file };
}

function sectionsOf(spec: Record<string, unknown>, problems: Problem[]): Record<string, unknown> {
  const { cluster } = spec;
  for (const key of isMapping(cluster) ? CLUSTER_KEYS_ELSEWHERE : []) {
    if (!Object.hasOwn(cluster as object, key)) continue;
    const message =
      "is not said here: spec.nodes and spec.gpusPerNode say what there is; remove it";
    problems.push({ path: ["spec", "cluster", key], message });
  }
  return Object.fromEntries(
    Object.entries(jobSections())
      .filter(([key]) => spec[key] !== undefined)
      .map(([key, schema]) => [key, fromSpecValue(spec[key], schema, ["spec", key], problems)]),
  );
}

/**
 * What of a job the engine does not train, if anything. GPUs are named to plan for them; what
 * trains is the engine on the nodes that there are.
 */
export function whyNotTrained(job: Job): Problem | undefined {
  const { gpu: _, ...cluster } = job.cluster;
  return whyEngineCannotTrain({ ...job, cluster });
}

/** A job that names GPUs is planned for their nodes, any other for so many ranks. */
function clusterOf(cluster: unknown, { nodes, gpusPerNode }: KubernetesSection): unknown {
  if (cluster !== undefined && !isMapping(cluster)) return cluster;
  return cluster?.gpu === undefined
    ? { ...cluster, ranks: nodes.max * gpusPerNode }
    : { ...cluster, nodes: nodes.max, gpusPerNode };
}
