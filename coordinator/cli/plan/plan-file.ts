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
import type { JobSource } from "../../spec/problems.ts";
import type { Job } from "../../spec/schema.ts";

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
export function planProblem(problem: PlanProblem, { job, source }: JobFile): PlanDocument {
  const { document, search } = planWorkload(problem.workload, problem.constraints, {
    job: job.name,
    modelName: job.name,
    now: () => performance.now(),
  });
  if (document === undefined) throw nothingFits(problem, search, source);
  return document;
}

export function nothingFits(problem: PlanProblem, { closest }: SearchResult, source?: JobSource) {
  if (closest === undefined) return noPlanError(problem, undefined, source);
  const { placement, missingBytes } = closest;
  const sizes = `tp ${placement.tensorParallel}, cp ${placement.contextParallel}, pp ${placement.pipelineParallel}, dp ${placement.dataParallel}, ep ${placement.expertParallel}, etp ${placement.expertTensorParallel}`;
  return noPlanError(problem, { missingBytes, sizes }, source);
}
