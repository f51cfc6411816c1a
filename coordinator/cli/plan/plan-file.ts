import { MoestroError } from "../../errors.ts";
import type { Cluster } from "../../planner/hardware/cluster.ts";
import { loadCluster } from "../../planner/hardware/cluster-file.ts";
import type { PlanDocument } from "../../planner/plan-document.ts";
import { planWorkload } from "../../planner/plan-workload.ts";
import {
  noPlanError,
  type PlanProblem,
  presetOfJob,
  problemOfJob,
} from "../../planner/problem-of-job.ts";
import type { Target } from "../../planner/search/constraints.ts";
import type { SearchResult } from "../../planner/search/search-layouts.ts";
import type { JobFile } from "../../spec/load-job.ts";
import { formatPath, problemsToError } from "../../spec/problems.ts";
import type { Job } from "../../spec/schema.ts";
import { whyNoLayout } from "./no-layout.ts";

/** The cluster of a job: its file, its profile, or the preset of its GPUs. */
export async function clusterOf({ cluster, ...job }: Job): Promise<Cluster> {
  const path = cluster.file ?? cluster.profile;
  if (path === undefined) return presetOfJob({ cluster, ...job });
  const loaded = await loadCluster(path);
  const { nodes = loaded.nodes, gpusPerNode = loaded.gpusPerNode } = cluster;
  return { ...loaded, nodes, gpusPerNode };
}

/** @throws MoestroError `no_plan` when nothing legal fits the memory */
export async function planFile(file: JobFile, target: Target): Promise<PlanDocument> {
  const problem = problemOfJob(file.job, await clusterOf(file.job), target);
  return planProblem(problem, file);
}

/** `planFile` for a problem already made. */
export function planProblem(problem: PlanProblem, file: JobFile): PlanDocument {
  const { job } = file;
  const { document, search } = planWorkload(problem.workload, problem.constraints, {
    job: job.name,
    modelName: job.name,
    now: () => performance.now(),
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
  { job, source }: JobFile,
  option?: string,
): MoestroError {
  if (closest === undefined) {
    const [illegal] = whyNoLayout(job, problem.constraints);
    if (illegal === undefined) return noPlanError(problem, undefined, source);
    if (option === undefined) return problemsToError([illegal], source);
    const { path, message } = illegal;
    return new MoestroError("invalid_input", `${option}: ${formatPath(path)}: ${message}`);
  }
  const { placement, missingBytes } = closest;
  const sizes = `tp ${placement.tensorParallel}, cp ${placement.contextParallel}, pp ${placement.pipelineParallel}, dp ${placement.dataParallel}, ep ${placement.expertParallel}, etp ${placement.expertTensorParallel}`;
  return noPlanError(problem, { missingBytes, sizes }, source);
}
