import { relative } from "node:path";
import { MoestroError } from "../../errors.ts";
import type { Cluster } from "../../planner/hardware/cluster.ts";
import { loadCluster } from "../../planner/hardware/cluster-file.ts";
import { checkExperts, checkLists } from "../../planner/layout/check-layout.ts";
import { scheduleConflicts } from "../../planner/layout/schedule-conflicts.ts";
import { noPlanError } from "../../planner/no-plan.ts";
import type { PlanDocument } from "../../planner/plan-document.ts";
import { planWorkload } from "../../planner/plan-workload.ts";
import { type PlanProblem, presetOfJob, problemOfJob } from "../../planner/problem-of-job.ts";
import type { Target } from "../../planner/search/constraints.ts";
import type { SearchResult } from "../../planner/search/search-layouts.ts";
import type { JobFile } from "../../spec/load-job.ts";
import { formatPath, type Problem, problemsToError } from "../../spec/problems.ts";
import type { Job } from "../../spec/schema.ts";
import { exclusive, type FixedThing, whyNoLayout } from "./no-layout.ts";

/** The cluster of a job: its file, its profile, or the preset of its GPUs. */
async function clusterOf(job: Job): Promise<Cluster> {
  const { nodes, gpusPerNode, file, profile } = job.cluster;
  const path = file ?? profile;
  if (path === undefined) return presetOfJob(job);
  return loadCluster(shortest(path), { nodes, gpusPerNode });
}

/** A job's paths are absolute; errors name them from here where that is shorter. */
function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere.length < path.length ? fromHere : path;
}

/**
 * The problem that a job file is, its rules checked.
 *
 * @throws MoestroError `invalid_input` where what the job fixes excludes itself
 */
export async function problemOfFile(file: JobFile, target: Target): Promise<PlanProblem> {
  const { job, source } = file;
  const conflicts = [...conflictsOf(job), ...emptyForEngine(job, target)];
  if (conflicts.length > 0) throw problemsToError(conflicts, source);
  return problemOfJob(job, await clusterOf(job), target, source);
}

/** What a job fixes that cannot be had together, whatever the number of GPUs. */
export function conflictsOf(job: Job): Problem[] {
  return [...checkLists(job), ...checkExperts(job), ...scheduleConflicts(job)];
}

/** The engine keeps the head with the last layer. */
function emptyForEngine({ layout }: Job, target: Target): Problem[] {
  const stages = layout === "auto" ? [] : (layout.stages ?? []);
  if (target !== "moestro" || stages.at(-1) !== 0) return [];
  const message =
    "the last stage holds no layer, but every stage that moestro's engine can be told holds at least one; give it one, or plan without --expressible moestro";
  return [{ path: ["layout", "stages"], message }];
}

/** @throws MoestroError `no_plan` when nothing legal fits the memory */
export async function planFile(
  file: JobFile,
  target: Target,
  certifySeconds?: number,
): Promise<PlanDocument> {
  return planProblem(await problemOfFile(file, target), file, certifySeconds);
}

/** `planFile` for a problem already made. */
export async function planProblem(
  problem: PlanProblem,
  file: JobFile,
  certifySeconds?: number,
): Promise<PlanDocument> {
  const { job } = file;
  const { document, search } = await planWorkload(problem.workload, problem.constraints, {
    job: job.name,
    modelName: job.name,
    now: () => performance.now(),
    certifySeconds,
  });
  if (document === undefined) throw nothingFits(problem, search, file);
  return document;
}

/**
 * Why there is no plan, in one line.
 *
 * @param option the option that fixed the sizes, where it was not the job file
 */
export function nothingFits(
  problem: PlanProblem,
  { closest }: SearchResult,
  file: JobFile,
  option?: string,
): MoestroError {
  if (closest === undefined) return noLayout(problem, file, option);
  const { placement, missingBytes } = closest;
  const sizes = `tp ${placement.tensorParallel}, cp ${placement.contextParallel}, pp ${placement.pipelineParallel}, dp ${placement.dataParallel}, ep ${placement.expertParallel}, etp ${placement.expertTensorParallel}`;
  const where = option ?? `${file.source.name}: cluster`;
  return noPlanError(problem, { missingBytes, sizes }, where);
}

/** What is wrong with the sizes that an option fixes. */
export function refusedOption(option: string, problems: readonly Problem[]): MoestroError {
  return new MoestroError(
    "invalid_input",
    problems.map(({ path, message }) => `${option}: ${formatPath(path)}: ${message}`),
  );
}

/** Which rule is broken, or which fixed things exclude each other. */
function noLayout(problem: PlanProblem, { job, source }: JobFile, option?: string): MoestroError {
  const { gpusPerNode } = problem.workload.cluster;
  const sized = { ...job, cluster: { ...job.cluster, gpusPerNode } };
  const illegal = whyNoLayout(sized, problem.constraints);
  if (illegal.length > 0) {
    return option === undefined ? problemsToError(illegal, source) : refusedOption(option, illegal);
  }
  const [first, ...others] = exclusive(problem);
  const where = option ?? source.name;
  if (first === undefined) return noPlanError(problem, undefined, where);
  const { path, value } = first;
  const rest = excludes(problem, others);
  if (option !== undefined || path === undefined) {
    const name = path === undefined ? "" : `${formatPath(path)}: `;
    return new MoestroError("no_plan", `${where}: ${name}${value} ${rest}`);
  }
  return problemsToError([{ path, message: `${value} ${rest}` }], source, "no_plan");
}

function excludes({ constraints }: PlanProblem, others: readonly FixedThing[]): string {
  const ranks = `on ${constraints.ranks} ranks`;
  if (others.length === 0) return `leaves no layout ${ranks}; change it, or leave it free`;
  const names = others.map(({ path, value }) =>
    path === undefined ? value : `${path.at(-1)} ${value}`,
  );
  const why = others.find((other) => other.why !== undefined)?.why;
  const rule = why === undefined ? "" : `, since ${why}`;
  return `excludes ${names.join(" and ")} ${ranks}${rule}; change one of them, or leave it free`;
}
