import { create } from "@bufbuild/protobuf";
import {
  type Plan,
  PlanSchema,
  Recompute,
  Schedule,
  Scheme,
} from "../../proto/gen/moestro/v1/plan_pb.js";
import { type JobSource, problemsToError } from "../spec/problems.ts";
import type { Job } from "../spec/schema.ts";
import { type Choice, chooseLayout } from "./choose-layout.ts";
import { explainPlan } from "./explain-plan.ts";
import { checkLayout, checkRunnable } from "./layout/check-layout.ts";
import type { SchemeName } from "./layout/sizes.ts";
import { countParameters, countRankParameters } from "./model/parameters.ts";
import { evenSplit, stageWork } from "./partition/pipeline.ts";
import { splitMakespan } from "./partition/split-pipeline.ts";
import { recomputeOf } from "./work.ts";

export interface PlanOptions {
  /** Ranks to plan for; the job's own number unless some were lost. */
  ranks?: number;
  /** Where the job was read from, so that errors can point there. */
  source?: JobSource;
}

const SCHEMES: Record<SchemeName, Scheme> = {
  edp: Scheme.EDP,
  ep: Scheme.EP,
  etp: Scheme.ETP,
  folded: Scheme.FOLDED,
};

/**
 * The best layout and stages for a job that passed `loadJob`. Pure.
 *
 * @throws MoestroError `no_plan` when no legal layout, or none that the engine
 *   runs, fits the ranks; its lines name the rule and the nearest that would
 */
export function planJob(job: Job, options: PlanOptions = {}): Plan {
  const { ranks = job.cluster.ranks, source } = options;
  const illegal = checkLayout(job, ranks);
  const problems = illegal.length > 0 ? illegal : checkRunnable(job, ranks);
  const search = problems.length > 0 ? undefined : chooseLayout(job, ranks);
  if (search === undefined) throw problemsToError(problems, source, "no_plan");
  const { layout, microBatchSize, pipeline } = search.best;
  const { scheme, ...sizes } = layout;
  const stages = planStages(job, search.best);
  const plan = create(PlanSchema, {
    layout: { ...sizes, scheme: SCHEMES[scheme], virtualPipeline: 1, rankOrder: "tp-cp-ep-dp-pp" },
    stages: stages.map(({ parameters: _, ...stage }) => stage),
    schedule: Schedule.SCHEDULE_1F1B,
    worldSize: ranks,
    microBatchSize,
    numMicroBatches: pipeline.numMicroBatches,
    prediction: predict(job, search.best, Math.max(...stages.map((stage) => stage.parameters))),
    numCandidates: search.numRunnable,
  });
  plan.reasons = explainPlan(job, plan, search);
  return plan;
}

function planStages(job: Job, { layout, pipeline, partition }: Choice) {
  const work = stageWork(pipeline.work, partition.layersPerStage);
  const recompute = recomputeOf(job).map((kind) =>
    kind === "full" ? Recompute.FULL : Recompute.NONE,
  );
  let firstLayer = 0;
  return work.map(({ forward, backward }, index) => {
    const numLayers = partition.layersPerStage[index] as number;
    const hasEmbedding = index === 0;
    const hasHead = index === work.length - 1;
    const stage = {
      index,
      firstLayer,
      numLayers,
      hasEmbedding,
      hasHead,
      recompute: recompute.slice(firstLayer, firstLayer + numLayers),
      forwardFlops: forward,
      backwardFlops: backward,
      expertsPerRank: job.moe.experts / layout.expertParallel,
      parameters: countRankParameters(job.model, job.moe, layout, {
        numLayers,
        hasEmbedding,
        hasHead,
      }),
    };
    firstLayer += numLayers;
    return stage;
  });
}

function predict(job: Job, { pipeline, partition }: Choice, parametersPerRankMax: number) {
  const { numStages, numMicroBatches } = pipeline;
  const totals = stageWork(pipeline.work, partition.layersPerStage).map(
    ({ forward, backward }) => forward + backward,
  );
  const sum = totals.reduce((a, b) => a + b, 0);
  const uniformLayers = evenSplit(job.model.layers, numStages);
  const parameters = countParameters(job.model, job.moe);
  return {
    balance: sum / numStages / Math.max(...totals),
    makespanFlops: partition.makespan,
    boundFlops: partition.bound,
    bubbleFraction: Math.max(0, 1 - (numMicroBatches * sum) / (numStages * partition.makespan)),
    uniformMakespanFlops: splitMakespan(pipeline, uniformLayers),
    uniformLayers,
    totalParameters: BigInt(parameters.total),
    activeParameters: BigInt(parameters.active),
    parametersPerRankMax: BigInt(parametersPerRankMax),
  };
}
