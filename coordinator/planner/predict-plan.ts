import { create } from "@bufbuild/protobuf";
import {
  type Plan,
  type PlanPrediction,
  PlanPredictionSchema,
} from "../../proto/gen/moestro/v1/plan_pb.js";
import type { Job } from "../spec/schema.ts";
import type { Choice } from "./choose-layout.ts";
import { reservedBytes } from "./cost/memory/memory-limit.ts";
import { startsOf } from "./flops-problem.ts";
import { countModelParameters } from "./model/count-parameters.ts";
import { countRankParameters } from "./model/parameters.ts";
import { evenSplit } from "./partition/pipeline.ts";
import { presetOfJob, workloadOfJob } from "./problem-of-job.ts";
import { solveStages } from "./search/solve-stages.ts";

/** What a plan is expected to come to; FLOPs of a rank, and bytes at its peak. */
export function predictPlan(
  job: Job,
  { stages, layout }: Plan,
  { problem, cut, virtualPipeline, microBatchSize, ...chosen }: Choice,
): PlanPrediction {
  const { stages: numRanks, microBatches } = problem;
  const work = ofRanks(numRanks, stages, ({ forwardFlops, backwardFlops }) => {
    return forwardFlops + backwardFlops;
  });
  const total = work.reduce((a, b) => a + b, 0);
  const makespan = cut.simulatedMs;
  const uniformLayers = evenSplit(job.model.layers, stages.length);
  const workload = workloadOfJob(job, presetOfJob(job));
  const placement = { ...chosen.layout, virtualPipeline, microBatchSize };
  const { total: totalParameters, active } = countModelParameters(workload.model);
  const parameters = ofRanks(numRanks, stages, (stage) =>
    layout === undefined ? 0 : countRankParameters(workload.model, layout, stage),
  );
  return create(PlanPredictionSchema, {
    balance: total / numRanks / Math.max(...work),
    makespanFlops: makespan,
    boundFlops: boundOf({ problem, cut }),
    bubbleFraction: Math.max(0, 1 - (microBatches * total) / (numRanks * makespan)),
    uniformMakespanFlops: makespanOf(problem, uniformLayers),
    uniformLayers,
    totalParameters: BigInt(totalParameters),
    activeParameters: BigInt(active),
    parametersPerRankMax: BigInt(Math.max(...parameters)),
    memoryBytes: cut.memoryBytesOfRank.map((bytes) => reservedBytes(workload, placement, bytes)),
  });
}

/** Sums over the chunks of each pipeline rank. */
export function ofRanks<Stage extends { pipelineRank: number }>(
  numRanks: number,
  stages: readonly Stage[],
  value: (stage: Stage) => number,
): number[] {
  const sums = new Array<number>(numRanks).fill(0);
  for (const stage of stages) {
    sums[stage.pipelineRank] = (sums[stage.pipelineRank] ?? 0) + value(stage);
  }
  return sums;
}

/** Stages given by hand are kept; their bound is still that of the best split. */
function boundOf({ problem, cut }: Pick<Choice, "problem" | "cut">): number {
  if (problem.starts === undefined) return cut.boundMs;
  const free = solveStages({ ...problem, starts: undefined });
  return "stages" in free ? Math.min(free.boundMs, cut.simulatedMs) : cut.boundMs;
}

/** Of one split, with the least recompute that fits; infinite when it does not fit. */
function makespanOf(problem: Choice["problem"], layersPerStage: readonly number[]): number {
  const cut = solveStages({ ...problem, starts: startsOf(layersPerStage) });
  return "stages" in cut ? cut.simulatedMs : Number.POSITIVE_INFINITY;
}
