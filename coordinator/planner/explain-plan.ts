import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { formatCount } from "../report/format.ts";
import type { Job } from "../spec/schema.ts";
import type { Choice, Search } from "./choose-layout.ts";
import { fixedSizesOf } from "./layout/fixed-sizes.ts";
import { isShorter, RELATIVE_TOLERANCE } from "./partition/compare-times.ts";
import { formatSplit } from "./partition/pipeline.ts";
import { recomputeName } from "./plan-names.ts";
import { modelWork } from "./work.ts";

/** Why the plan is what it is: one sentence each, with the numbers. */
export function explainPlan(job: Job, plan: Plan, search: Search): string[] {
  return [
    whyLayout(job, plan, search),
    whyExperts(job, search.best),
    ...(plan.stages.length > 1 ? whyStages(job, plan, search.best) : []),
    whyMicroBatch(job, search.best),
    whyMemory(job, plan),
    "Not counted: communication.",
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
      : `${numEqual} tie for the least predicted step time; the tie went to fewer stages, then to less tensor parallelism, then to edp before other folds`;
  return `Layout: best of the ${numRunnable} that the engine runs on ${ranks}${asked} (${numLegal} are legal): ${tie}.`;
}

function whyExperts(job: Job, { layout }: Choice): string {
  const { experts } = job.moe;
  const { tensorParallel: tp, expertParallel: ep, expertTensorParallel: etp } = layout;
  const replicas =
    layout.expertDataParallel === 1 ? "" : `, in ${layout.expertDataParallel} replicas`;
  if (ep * etp === 1) {
    const why = tp === 1 ? "without tensor parallelism every rank" : "folded so that every rank";
    return `Experts: ${why} holds all ${experts} experts of its layers${replicas}.`;
  }
  const held = `each holds ${experts / ep} of ${experts} experts ${etp === 1 ? "whole" : `cut ${etp}-fold`}${replicas}`;
  switch (layout.scheme) {
    case "edp":
      return `Experts: EDP makes the ${tp} tensor-parallel ranks of attention the expert-parallel ranks too, so ${held}.`;
    case "ep":
      return `Experts: EP spreads them over ${ep} ranks of a stage, so ${held}.`;
    case "etp":
      return `Experts: ETP cuts every expert over the ${tp} tensor-parallel ranks${ep === 1 ? "" : ` and spreads them over ${ep} groups of these`}, so ${held}.`;
    case "folded":
      return `Experts: folded otherwise than attention, EP ${ep} and ETP ${etp} beside TP ${tp}, so ${held}.`;
  }
}

function whyStages(job: Job, plan: Plan, choice: Choice): string[] {
  const { problem, cut, virtualPipeline } = choice;
  const split = formatSplit(plan.stages.map(({ numLayers }) => numLayers));
  const { layers, head } = modelWork(job, choice.layout, choice.microBatchSize);
  const [firstLayer] = layers;
  const headShare = firstLayer === undefined ? 0 : head.forward / firstLayer.forward;
  const cause = `head and loss weigh ${headShare.toFixed(2)} of a layer on the last stage, the embedding next to nothing on the first`;
  const chunks =
    virtualPipeline === 1 ? "" : ` in ${virtualPipeline} chunks on each of ${problem.stages} ranks`;
  return [
    `Stages: ${split}${chunks} under ${choice.schedule}, since ${cause}; ${certificate(job, plan, cut)}.`,
    `Even split: ${evenSentence(plan)}.`,
  ];
}

function certificate(job: Job, plan: Plan, cut: Choice["cut"]): string {
  const byHand = job.layout !== "auto" && job.layout.stages !== undefined;
  const { boundFlops = 0 } = plan.prediction ?? {};
  const share = (cut.simulatedMs - boundFlops) / cut.simulatedMs;
  const gap = (100 * share).toFixed(1);
  const isOptimal = share <= RELATIVE_TOLERANCE;
  if (byHand) {
    return isOptimal
      ? "fixed by the job, and as fast as the best split"
      : `fixed by the job, up to ${gap} % slower than the best split`;
  }
  return isOptimal
    ? "no split is faster: the simulated step equals the lower bound"
    : `the best found, within ${gap} % of the lower bound`;
}

function evenSentence({ prediction, stages }: Plan): string {
  const { uniformMakespanFlops = 0, uniformLayers = [], makespanFlops = 0 } = prediction ?? {};
  const even = formatSplit(uniformLayers);
  const remainder = uniformLayers.some((count) => count !== uniformLayers[0])
    ? ` (layers do not divide by ${uniformLayers.length})`
    : "";
  if (`${uniformLayers}` === `${stages.map(({ numLayers }) => numLayers)}`) {
    return `${even}${remainder} is what was chosen; nothing is gained by leaving it`;
  }
  if (!Number.isFinite(uniformMakespanFlops)) return `${even}${remainder} does not fit the memory`;
  const change = 100 * (uniformMakespanFlops / makespanFlops - 1);
  if (isShorter(makespanFlops, uniformMakespanFlops)) {
    return `${even}${remainder} would take ${change.toFixed(1)} % longer`;
  }
  return isShorter(uniformMakespanFlops, makespanFlops)
    ? `${even}${remainder} would be ${(-change).toFixed(1)} % faster`
    : `${even}${remainder} would take as long`;
}

function whyMicroBatch(job: Job, { layout, microBatchSize, problem }: Choice): string {
  const chosen =
    job.training.microBatchSize === undefined
      ? "the largest that keeps the pipeline's bubble within a tenth of the least and has at most 8192 tokens"
      : "fixed by the job";
  return `Micro-batch: ${microBatchSize} of ${job.training.globalBatchSize / layout.dataParallel} sequences of a replica, ${chosen}; ${problem.microBatches} a step.`;
}

function whyMemory({ cluster }: Job, plan: Plan): string {
  const { memoryBytes = [], parametersPerRankMax = 0n } = plan.prediction ?? {};
  const fullest = Math.max(...memoryBytes);
  const rank = memoryBytes.indexOf(fullest);
  const parameters = formatCount(Number(parametersPerRankMax));
  const peak = `${(fullest / 1e9).toFixed(2)} GB at its peak is predicted of pipeline rank ${rank}, the fullest; the most parameters on a rank are ${parameters}`;
  if (cluster.memoryLimit === undefined) return `Memory: not limited; ${peak}.`;
  const kinds = countKinds(plan);
  return `Memory: within cluster.memoryLimit ${cluster.memoryLimit} GB, ${peak}; recomputed: ${kinds}.`;
}

function countKinds({ stages }: Plan): string {
  const kinds = stages.flatMap(({ recompute }) => recompute.map(recomputeName));
  const told = (["selective", "full"] as const).flatMap((kind) => {
    const count = kinds.filter((other) => other === kind).length;
    return count === 0 ? [] : [`${kind} ${count} of ${kinds.length} layers`];
  });
  return told.length === 0 ? "nothing" : told.join(", ");
}
