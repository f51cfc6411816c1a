import { resolve } from "node:path";
import { checkLayout, checkRunnable } from "../planner/check-layout.ts";
import { explainIssues } from "./explain.ts";
import { checkRules } from "./job-rules.ts";
import { type JobSource, type Problem, problemsToError } from "./problems.ts";
import { readTextFile } from "./read-text.ts";
import { resolveJob } from "./resolve-job.ts";
import { mergeKnownModel } from "./resolve-model.ts";
import { type Job, jobDocumentSchema } from "./schema.ts";
import { parseYaml } from "./yaml-source.ts";

/** A valid job and the text it came from. */
export interface JobFile {
  /** Absolute path of the job file. */
  readonly path: string;
  readonly job: Job;
  readonly source: JobSource;
}

/**
 * Reads and checks a job file. Relative paths inside it start at its folder.
 *
 * @param name the path as the user typed it; errors repeat it
 * @throws MoestroError `invalid_input` with all problems, one
 *   `file:line:col: path: what, rule, remedy` line each
 */
export async function loadJob(name: string): Promise<JobFile> {
  const path = resolve(name);
  return parseJob(await readTextFile(path, name), path, name);
}

/** `loadJob` for text already read; `path` is the absolute path it came from. */
export async function parseJob(text: string, path: string, name = path): Promise<JobFile> {
  const { raw: written, source } = parseYaml(text, name);
  if (written === null || written === undefined) {
    const message = "the file is empty; a job has name, model, data, training and moe";
    throw problemsToError([{ path: [], message }], source);
  }
  const { raw, problems: modelProblems } = await mergeKnownModel(written, path);
  const parsed = jobDocumentSchema.safeParse(raw);
  if (!parsed.success) {
    throw problemsToError([...modelProblems, ...explainIssues(parsed.error.issues, raw)], source);
  }
  if (modelProblems.length > 0) throw problemsToError(modelProblems, source);
  const job = resolveJob(parsed.data, path);
  const problems: Problem[] = Array.isArray(job) ? job : checkJob(job);
  if (Array.isArray(job) || problems.length > 0) throw problemsToError(problems, source);
  return { path, job, source };
}

/** The layout is judged only on numbers that are themselves sound. */
function checkJob(job: Job): Problem[] {
  const problems = checkRules(job);
  const isSound = !problems.some(({ path }) => path[0] === "model" || path[1] === "microBatchSize");
  if (!isSound) return problems;
  const illegal = checkLayout(job);
  return [...problems, ...(illegal.length > 0 ? illegal : checkRunnable(job))];
}
