import { create } from "@bufbuild/protobuf";
import { type Plan, PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { type JobSource, type Problem, problemsToError } from "../spec/problems.ts";
import type { Job } from "../spec/schema.ts";
import { type Choice, type Closest, chooseLayout } from "./choose-layout.ts";
import { memoryLimitBytes, reservedBytes } from "./cost/memory/memory-limit.ts";
import { explainPlan } from "./explain-plan.ts";
import { checkLayout, checkRunnable } from "./layout/check-layout.ts";
import { layoutOfPlan, RECOMPUTES, SCHEDULES, SHARDINGS } from "./plan-names.ts";
import { predictPlan } from "./predict-plan.ts";
import { presetOfJob, workloadOfJob } from "./problem-of-job.ts";
import { rankOf } from "./schedule/table.ts";

export interface PlanOptions {
  /** Ranks to plan for; the job's own number unless some were lost. */
  ranks?: number;
  /** Where the job was read from, so that errors can point there. */
  source?: JobSource;
}

/**
 * The best layout and stages for a job that passed `loadJob`. Pure.
 *
 * @throws MoestroError `no_plan` when no legal layout, or none that the engine
 *   runs, fits the ranks and their memory; its lines name the rule and the nearest
 *   that would
 */
export function planJob(job: Job, options: PlanOptions = {}): Plan {
  const { ranks = job.cluster.ranks, source } = options;
  const illegal = checkLayout(job, ranks);
  const problems = illegal.length > 0 ? illegal : checkRunnable(job, ranks);
  const search = problems.length > 0 ? undefined : chooseLayout(job, ranks);
  if (search === undefined) throw problemsToError(problems, source, "no_plan");
  if ("missingBytes" in search) throw problemsToError([unfit(job, search)], source, "no_plan");
  const { best, numRunnable } = search;
  const plan = create(PlanSchema, {
    layout: layoutOfPlan(best.layout, best.virtualPipeline),
    stages: planStages(job, best),
    schedule: SCHEDULES[best.schedule],
    worldSize: ranks,
    microBatchSize: best.microBatchSize,
    numMicroBatches: best.problem.microBatches,
    numCandidates: numRunnable,
    optimizerSharding: SHARDINGS[job.training.optimizerSharding],
  });
  plan.prediction = predictPlan(job, plan, best);
  plan.reasons = explainPlan(job, plan, search);
  return plan;
}

function planStages(job: Job, { layout, schedule, problem, cut }: Choice) {
  return cut.stages.map(({ from, to, recompute }, index) => {
    let forwardFlops = 0;
    let backwardFlops = 0;
    for (const [offset, layer] of problem.layers.slice(from, to).entries()) {
      const option = layer.options.find(({ name }) => name === recompute[offset]);
      forwardFlops += layer.forwardMs;
      backwardFlops += layer.backwardMs + (option?.extraBackwardMs ?? 0);
    }
    return {
      index,
      firstLayer: from,
      numLayers: to - from,
      hasEmbedding: index === 0,
      hasHead: index === cut.stages.length - 1,
      recompute: recompute.map((kind) => RECOMPUTES[kind]),
      forwardFlops,
      backwardFlops,
      expertsPerRank: job.moe.experts / layout.expertParallel,
      pipelineRank: rankOf(schedule, layout.pipelineParallel, index),
    };
  });
}

/** What is missing is tensors on the fullest rank, with all the recompute that is allowed. */
function unfit(job: Job, { layout, missingBytes }: Closest): Problem {
  const workload = workloadOfJob(job, presetOfJob(job));
  const { memoryBytes } = workload.cluster.accelerator;
  const placement = { ...layout, virtualPipeline: 1, microBatchSize: 1 };
  const tensors = memoryLimitBytes(workload.cluster) + missingBytes;
  const needed = reservedBytes(workload, placement, tensors);
  const gigabytes = (bytes: number) => `${(Math.ceil(bytes / 1e7) / 100).toFixed(2)} GB`;
  const shard = job.training.optimizerSharding === "fsdp" ? "" : ", more optimizerSharding";
  return {
    path: ["cluster", "memoryLimit"],
    message: `${job.cluster.memoryLimit} GB is ${gigabytes(needed - memoryBytes)} too little for the closest layout (tp ${layout.tensorParallel}, cp ${layout.contextParallel}, pp ${layout.pipelineParallel}, dp ${layout.dataParallel}, ep ${layout.expertParallel}, etp ${layout.expertTensorParallel}); use ${gigabytes(needed)} or more, recompute auto or full${shard}, or more ranks`,
  };
}
