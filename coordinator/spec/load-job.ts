import { resolve } from "node:path";
import { checkLayout, checkRunnable } from "../planner/layout/check-layout.ts";
import { whyEngineCannotTrain } from "./engine-model.ts";
import { explainIssues } from "./explain.ts";
import { checkRules } from "./job-rules.ts";
import { withPlanningStandIns } from "./planning-stand-ins.ts";
import { formatPath, type JobSource, type Problem, problemsToError } from "./problems.ts";
import { readTextFile } from "./read-text.ts";
import { resolveJob } from "./resolve-job.ts";
import { mergeKnownModel } from "./resolve-model.ts";
import { concernsLayout, salvage } from "./salvage.ts";
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

/**
 * `loadJob` for planning alone: what only training needs (`name`, `data`,
 * `training.steps`, `training.learningRate`) may be absent, and a layout or model
 * that the engine does not run is no fault.
 */
export async function loadPlanJob(name: string): Promise<JobFile> {
  const path = resolve(name);
  return parsePlanJob(await readTextFile(path, name), path, name);
}

/** `loadPlanJob` for text already read; `path` is the absolute path it came from. */
export function parsePlanJob(text: string, path: string, name = path): Promise<JobFile> {
  return parse(text, path, name, PLANNING);
}

/**
 * `loadJob` for text already read; `path` is the absolute path it came from.
 *
 * @param within the folder that files it names must be below; everywhere if undefined
 */
export function parseJob(
  text: string,
  path: string,
  name = path,
  within?: string,
): Promise<JobFile> {
  return parse(text, path, name, TRAINING, within);
}

/** What a job is read for: what may stand in for absent values, and who judges layouts. */
interface Purpose {
  complete: (written: unknown, path: string) => unknown;
  checkLayout: (job: Job) => Problem[];
}

const TRAINING: Purpose = {
  complete: (written) => written,
  checkLayout: (job) => {
    // What the engine does not train at all, train refuses; its layout is the planner's.
    if (whyEngineCannotTrain(job) !== undefined) return [];
    const illegal = checkLayout(job);
    return illegal.length > 0 ? illegal : checkRunnable(job);
  },
};

const PLANNING: Purpose = {
  complete: withPlanningStandIns,
  checkLayout: (job) => (whyEngineCannotTrain(job) === undefined ? checkLayout(job) : []),
};

async function parse(
  text: string,
  path: string,
  name: string,
  purpose: Purpose,
  within?: string,
): Promise<JobFile> {
  const { raw: written, source } = parseYaml(text, name);
  if (written === null || written === undefined) {
    const message = "the file is empty; a job has name, model, data, training and moe";
    throw problemsToError([{ path: [], message }], source);
  }
  const { raw, problems: modelProblems } = await mergeKnownModel(
    purpose.complete(written, path),
    path,
    within,
  );
  const parsed = jobDocumentSchema.safeParse(raw);
  if (!parsed.success || modelProblems.length > 0) {
    const faults = parsed.success ? [] : explainIssues(parsed.error.issues, raw);
    const problems = [...modelProblems, ...faults];
    throw problemsToError([...problems, ...furtherProblems(raw, problems, path, purpose)], source);
  }
  const job = resolveJob(parsed.data, path);
  const problems = Array.isArray(job) ? job : checkJob(job, purpose);
  if (Array.isArray(job) || problems.length > 0) throw problemsToError(problems, source);
  return { path, job, source };
}

/** What else is wrong, as far as it can be judged beside values already faulted. */
function furtherProblems(
  raw: unknown,
  known: readonly Problem[],
  path: string,
  purpose: Purpose,
): Problem[] {
  const parsed = jobDocumentSchema.safeParse(salvage(raw, known));
  if (!parsed.success) return [];
  const job = resolveJob(parsed.data, path);
  const further = Array.isArray(job)
    ? job
    : known.some(concernsLayout)
      ? checkRules(job)
      : checkJob(job, purpose);
  const told = known.filter(({ at }) => at !== "key").map((problem) => formatPath(problem.path));
  const isTold = (place: string) => told.some((other) => `${place}.`.startsWith(`${other}.`));
  // A model with a faulted size has derived sizes that mean nothing; so has a cluster.
  const isUnsound = (section: string | number | undefined) =>
    (section === "model" || section === "cluster") &&
    told.some((place) => place.startsWith(section));
  // Experts come from the same place as the model.
  const isUnread = ["preset", "config", "weights"].some((key) => told.includes(`model.${key}`));
  return further.filter(
    ({ path }) =>
      !isTold(formatPath(path)) && !isUnsound(path[0]) && !(isUnread && path[0] === "moe"),
  );
}

/** The layout is judged only on numbers that are themselves sound. */
function checkJob(job: Job, purpose: Purpose): Problem[] {
  const problems = checkRules(job);
  const isSound = !problems.some(
    ({ path }) => path[0] === "model" || path[0] === "cluster" || path[1] === "microBatchSize",
  );
  return isSound ? [...problems, ...purpose.checkLayout(job)] : problems;
}
