import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import type { Job } from "../spec/schema.ts";
import type { Choice, Search } from "./choose-layout.ts";
import { fixedSizesOf } from "./layout/check-layout.ts";
import { formatSplit } from "./partition/pipeline.ts";
import { isShorter, RELATIVE_TOLERANCE } from "./partition/split-pipeline.ts";

/** Why the plan is what it is: one sentence each, with the numbers. */
export function explainPlan(job: Job, plan: Plan, search: Search): string[] {
  return [
    whyLayout(job, plan, search),
    whyExperts(job, search.best),
    ...(search.best.pipeline.numStages > 1 ? whyStages(job, plan, search.best) : []),
    whyMicroBatch(job, search.best),
    whatIsLeftOut(plan),
  ];
}

function whyLayout(job: Job, plan: Plan, { numEqual, numRunnable, numLegal }: Search): string {
  const fixed = Object.entries(fixedSizesOf(job))
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`);
  const asked = fixed.length === 0 ? "" : ` with ${fixed.join(", ")} fixed by the job`;
  const ranks = `${plan.worldSize} rank${plan.worldSize === 1 ? "" : "s"}`;
  if (numRunnable === 1) {
    const others = numLegal === 1 ? "and no other is legal" : `out of ${numLegal} legal ones`;
    return `Layout: the only one the engine runs on ${ranks}${asked}, ${others}.`;
  }
  const tie =
    numEqual === 1
      ? "it has the least predicted step time"
      : `${numEqual} tie for the least predicted step time; the tie went to fewer stages, then to less tensor parallelism`;
  return `Layout: best of the ${numRunnable} that the engine runs on ${ranks}${asked} (${numLegal} are legal): ${tie}.`;
}

function whyExperts(job: Job, { layout }: Choice): string {
  const { experts } = job.moe;
  const perRank = experts / layout.expertParallel;
  const replicas =
    layout.expertDataParallel === 1 ? "" : `, in ${layout.expertDataParallel} replicas`;
  return layout.tensorParallel === 1
    ? `Experts: without tensor parallelism every rank holds all ${experts} experts of its layers${replicas}.`
    : `Experts: EDP makes the ${layout.tensorParallel} tensor-parallel ranks of attention the expert-parallel ranks too, so each holds ${perRank} of ${experts} experts whole${replicas}.`;
}

function whyStages(job: Job, plan: Plan, choice: Choice): string[] {
  const { pipeline, partition } = choice;
  const { head, layers } = pipeline.work;
  const [firstLayer] = layers;
  const headShare = firstLayer === undefined ? 0 : head.forward / firstLayer.forward;
  const split = formatSplit(partition.layersPerStage);
  const cause = `head and loss weigh ${headShare.toFixed(2)} of a layer on the last stage, the embedding next to nothing on the first`;
  return [
    `Stages: ${split}, since ${cause}; ${certificate(job, choice)}.`,
    `Even split: ${evenSentence(plan, choice)}.`,
  ];
}

function certificate(job: Job, { partition }: Choice): string {
  const byHand = job.layout !== "auto" && job.layout.stages !== undefined;
  const gap = (100 * partition.gap).toFixed(1);
  const isOptimal = partition.gap <= RELATIVE_TOLERANCE;
  if (byHand) {
    return isOptimal
      ? "fixed by the job, and as fast as the best split"
      : `fixed by the job, up to ${gap} % slower than the best split`;
  }
  return isOptimal
    ? "no split is faster: the simulated step equals the lower bound"
    : `the best of ${partition.simulations} simulated, within ${gap} % of the lower bound`;
}

function evenSentence(plan: Plan, { partition }: Choice): string {
  const { uniformMakespanFlops = 0, uniformLayers = [] } = plan.prediction ?? {};
  const even = formatSplit(uniformLayers);
  const remainder = uniformLayers.some((count) => count !== uniformLayers[0])
    ? ` (layers do not divide by ${uniformLayers.length})`
    : "";
  if (`${uniformLayers}` === `${partition.layersPerStage}`) {
    return `${even}${remainder} is what was chosen; nothing is gained by leaving it`;
  }
  const change = 100 * (uniformMakespanFlops / partition.makespan - 1);
  if (isShorter(partition.makespan, uniformMakespanFlops)) {
    return `${even}${remainder} would take ${change.toFixed(1)} % longer`;
  }
  return isShorter(uniformMakespanFlops, partition.makespan)
    ? `${even}${remainder} would be ${(-change).toFixed(1)} % faster`
    : `${even}${remainder} would take as long`;
}

function whyMicroBatch(job: Job, { layout, microBatchSize, pipeline }: Choice): string {
  const chosen =
    job.training.microBatchSize === undefined
      ? "the largest that keeps the pipeline's bubble within a tenth of the least and has at most 8192 tokens"
      : "fixed by the job";
  return `Micro-batch: ${microBatchSize} of ${job.training.globalBatchSize / layout.dataParallel} sequences of a replica, ${chosen}; ${pipeline.numMicroBatches} a step.`;
}

function whatIsLeftOut(plan: Plan): string {
  // fp32 weight, gradient and AdamW's two moments.
  const gigabytes = (Number(plan.prediction?.parametersPerRankMax ?? 0n) * 16) / 1e9;
  const size = gigabytes >= 1 ? `${gigabytes.toFixed(1)} GB` : `${(gigabytes * 1e3).toFixed(1)} MB`;
  return `Not counted: communication, and memory, of which weights, gradients and AdamW state need ${size} in fp32 on the largest rank.`;
}
