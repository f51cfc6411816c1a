import { toJson } from "@bufbuild/protobuf";
import { type Plan, PlanSchema } from "../../../proto/gen/moestro/v1/plan_pb.js";
import { fixedValues } from "../../planner/describe/fixed-values.ts";
import { describePlan } from "../../planner/describe-plan.ts";
import { planJob } from "../../planner/plan-job.ts";
import { recomputeName, scheduleName } from "../../planner/plan-names.ts";
import { presetOfJob, problemOfJob } from "../../planner/problem-of-job.ts";
import type { Constraints } from "../../planner/search/constraints.ts";
import type { JobFile } from "../../spec/load-job.ts";
import { planProblem } from "./plan-file.ts";

/** The plan that `moestro train` would run on this machine, for people. */
export function describeLocal({ job, source }: JobFile, color: boolean): string {
  return describePlan(planJob(job, { source }), job, { color });
}

/**
 * The same for programs: the planner's document of the layout and stages that the
 * engine runs, timed by the preset for CPUs, and what the engine gets as `engine`.
 */
export async function localDocument(file: JobFile): Promise<object> {
  const { job, source } = file;
  const plan = planJob(job, { source });
  const { workload, constraints } = problemOfJob(job, presetOfJob(job), "moestro", source);
  const problem = { workload, constraints: { ...constraints, ...choiceOf(plan) } };
  const document = await planProblem(problem, file);
  const fixed = fixedValues(constraints);
  return { ...document, fixed, reasons: plan.reasons, engine: toJson(PlanSchema, plan) };
}

/** Everything that a plan leaves no choice of. */
function choiceOf({ layout, stages, microBatchSize, schedule }: Plan): Partial<Constraints> {
  return {
    schedules: [scheduleName(schedule)],
    virtualPipeline: layout?.virtualPipeline,
    fixed: {
      tensorParallel: layout?.tensorParallel,
      contextParallel: layout?.contextParallel,
      pipelineParallel: layout?.pipelineParallel,
      dataParallel: layout?.dataParallel,
      expertParallel: layout?.expertParallel,
      expertTensorParallel: layout?.expertTensorParallel,
    },
    microBatchSize,
    layersPerStage: stages.map(({ numLayers }) => numLayers),
    recomputePerLayer: stages.flatMap(({ recompute }) => recompute.map(recomputeName)),
  };
}
