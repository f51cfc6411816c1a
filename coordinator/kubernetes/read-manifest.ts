import { dirname, resolve } from "node:path";
import { type JobFile, parseJob } from "../spec/load-job.ts";
import { isMapping } from "../spec/mapping.ts";
import { type JobSource, type Problem, problemsToError } from "../spec/problems.ts";
import { readTextFile } from "../spec/read-text.ts";
import { parseYaml } from "../spec/yaml-source.ts";
import { jobOfSpec, whyNotTrained } from "./crd/job-of-spec.ts";
import { inSpecTerms } from "./crd/spec-errors.ts";
import { specOfJob, whyNoSpec } from "./crd/spec-of-job.ts";
import type { MoETrainingJob } from "./moe-training-job.ts";
import {
  API_VERSION,
  isNamespace,
  KIND,
  NAME_PATTERN,
  NAME_RULE,
  NAMESPACE_RULE,
} from "./names.ts";

export interface ManifestOptions {
  /** In place of the manifest's, or the job file's. */
  name?: string | undefined;
  namespace?: string | undefined;
}

/** A MoETrainingJob and the job it stands for. */
export interface ReadManifest {
  job: MoETrainingJob;
  file: JobFile;
  /** Does what may find faults with the job, which are told as the file has it written. */
  judge<Result>(judged: () => Result | Promise<Result>): Promise<Result>;
}

/**
 * Reads a MoETrainingJob's manifest, or a job file, which is one with as many nodes as its
 * cluster section says.
 *
 * @param name the path as the user typed it; errors repeat it
 * @throws MoestroError `invalid_input`, one line a mistake
 */
export async function readManifest(
  name: string,
  options: ManifestOptions = {},
): Promise<ReadManifest> {
  const path = resolve(name);
  const text = await readTextFile(path, name);
  const { raw, source } = parseYaml(text, name);
  if (isMapping(raw) && (raw.kind !== undefined || raw.apiVersion !== undefined)) {
    return fromManifest(raw, dirname(path), source, options);
  }
  const file = await parseJob(text, path, name);
  const { name: chosen = file.job.name, namespace } = options;
  const why = whyNoSpec(file.job) ?? whyNotTrained(file.job);
  refuse([...nameProblems(chosen, ["name"]), ...(why === undefined ? [] : [why])], source);
  refuse(namespaceProblems(namespace), source);
  const spec = specOfJob(raw as Record<string, unknown>, file.job);
  const judge: ReadManifest["judge"] = async (judged) => judged();
  return { job: { metadata: { name: chosen, namespace }, spec }, file, judge };
}

async function fromManifest(
  raw: Record<string, unknown>,
  folder: string,
  source: JobSource,
  options: ManifestOptions,
): Promise<ReadManifest> {
  const written = isMapping(raw.metadata) ? raw.metadata : {};
  const { name = written.name, namespace = written.namespace } = options;
  refuse([...kindProblems(raw), ...nameProblems(name, ["metadata", "name"])], source);
  refuse(namespaceProblems(namespace), source);
  const called = String(name);
  const { section, file } = await jobOfSpec(raw.spec, { name: called, folder, source });
  const metadata = {
    name: called,
    ...(typeof namespace === "string" ? { namespace } : {}),
    ...(typeof written.uid === "string" ? { uid: written.uid } : {}),
  };
  const spec = { ...(raw.spec as Record<string, unknown>), ...section };
  return { job: { metadata, spec }, file, judge: (judged) => inSpecTerms(source, judged) };
}

function kindProblems({ apiVersion, kind }: Record<string, unknown>): Problem[] {
  const wrong = (path: string, value: unknown, wanted: string) =>
    value === wanted
      ? []
      : [{ path: [path], message: `${value ?? "nothing"} is not known here; use ${wanted}` }];
  return [...wrong("apiVersion", apiVersion, API_VERSION), ...wrong("kind", kind, KIND)];
}

function nameProblems(name: unknown, path: string[]): Problem[] {
  if (typeof name === "string" && new RegExp(NAME_PATTERN).test(name)) return [];
  const what = name === undefined ? "is missing" : `${JSON.stringify(name)} does not fit`;
  return [{ path, message: `${what}; a name ${NAME_RULE}; give another, or --name` }];
}

/** Of a manifest, or of `--namespace`. */
function namespaceProblems(namespace: unknown): Problem[] {
  if (namespace === undefined) return [];
  if (typeof namespace === "string" && isNamespace(namespace)) return [];
  const message = `${JSON.stringify(namespace)} is no namespace; ${NAMESPACE_RULE}`;
  return [{ path: ["metadata", "namespace"], message }];
}

function refuse(problems: readonly Problem[], source: JobSource): void {
  if (problems.length > 0) throw problemsToError(problems, source);
}
