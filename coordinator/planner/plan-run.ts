import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { MoestroError } from "../errors.ts";
import type { Job } from "../spec/schema.ts";
import type { PlanChoice } from "./plan-document.ts";
import { planJob } from "./plan-job.ts";
import { presetOfJob, problemOfJob } from "./problem-of-job.ts";
import { planChoice } from "./search/plan-choice.ts";
import { searchLayouts } from "./search/search-layouts.ts";

/**
 * What the engine is to run of a job on so many ranks. For GPUs that the job names, the layout,
 * stages, recompute and schedule are those of least predicted step time that fit their memory, as
 * `moestro plan --expressible moestro` finds them; else those of fewest FLOPs. Pure.
 *
 * @throws MoestroError `no_plan`
 */
export function planRun(job: Job, ranks: number): Plan {
  if (job.cluster.gpu === undefined) return planJob(job, { ranks });
  const sized = onRanks(job, ranks);
  const problem = problemOfJob(sized, presetOfJob(sized), "moestro");
  const { best } = searchLayouts(problem.workload, problem.constraints);
  if (best === undefined) {
    const gpus = `${ranks} x ${problem.workload.cluster.accelerator.name}`;
    throw new MoestroError("no_plan", `${job.name}: nothing fits ${gpus}; moestro plan tells why`);
  }
  const choice = planChoice(best);
  const plan = planJob(fixedBy(choice, job, ranks), { ranks });
  if (plan.prediction) plan.prediction.memoryBytes = choice.predicted.memoryBytesPerStage;
  return plan;
}

/** Undefined if there is no plan. */
export function planOrNone(job: Job, ranks: number): Plan | undefined {
  try {
    return planRun(job, ranks);
  } catch (error) {
    if (error instanceof MoestroError && error.code === "no_plan") return undefined;
    throw error;
  }
}

/** Whether a plan takes so long that it is made in a thread where others wait. */
export function isSlowToPlan(job: Job): boolean {
  return job.cluster.gpu !== undefined;
}

/** Whole nodes, as far as there are so many GPUs. */
function onRanks(job: Job, ranks: number): Job {
  const { gpusPerNode = ranks } = job.cluster;
  const ofNode = ranks % gpusPerNode === 0 ? gpusPerNode : greatestShare(ranks, gpusPerNode);
  const cluster = { ...job.cluster, ranks, gpusPerNode: ofNode, nodes: ranks / ofNode };
  return { ...job, cluster };
}

/** The most GPUs of a node that all nodes can have alike. */
function greatestShare(ranks: number, gpusPerNode: number): number {
  for (let share = gpusPerNode; share > 1; share--) if (ranks % share === 0) return share;
  return 1;
}

/** The job with everything fixed that was chosen; for whichever GPUs, which is decided by then. */
function fixedBy(choice: PlanChoice, job: Job, ranks: number): Job {
  const { layout, stages } = choice;
  const { gpu: _, nodes: __, gpusPerNode: ___, ...cluster } = job.cluster;
  return {
    ...job,
    cluster: { ...cluster, ranks, memoryLimit: undefined },
    training: { ...job.training, microBatchSize: layout.microBatchSize },
    layout: {
      tensorParallel: layout.tensorParallel,
      contextParallel: layout.contextParallel,
      pipelineParallel: layout.pipelineParallel,
      dataParallel: layout.dataParallel,
      expertParallel: layout.expertParallel,
      expertTensorParallel: layout.expertTensorParallel,
      scheme: layout.scheme,
      virtualPipeline: layout.virtualPipeline,
      schedule: [layout.schedule],
      stages: stages.map(({ layers }) => (layers === null ? 0 : layers[1] - layers[0] + 1)),
      recompute: stages.flatMap(({ recompute }) => recompute),
    },
  };
}
