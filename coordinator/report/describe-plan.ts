import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { Schedule, Scheme } from "../../proto/gen/moestro/v1/plan_pb.js";

const SCHEMES: Record<Scheme, string> = {
  [Scheme.UNSPECIFIED]: "an unnamed scheme",
  [Scheme.EDP]: "EDP",
  [Scheme.EP]: "EP",
  [Scheme.ETP]: "ETP",
  [Scheme.FOLDED]: "folding",
};

const SCHEDULES: Record<Schedule, string> = {
  [Schedule.SCHEDULE_UNSPECIFIED]: "an unnamed schedule",
  [Schedule.SCHEDULE_1F1B]: "1F1B",
  [Schedule.SCHEDULE_GPIPE]: "GPipe",
  [Schedule.SCHEDULE_INTERLEAVED]: "interleaved 1F1B",
  [Schedule.SCHEDULE_ZERO_BUBBLE]: "zero-bubble",
  [Schedule.SCHEDULE_DUALPIPEV]: "DualPipeV",
};

/** The layout in one sentence, as a person would say it. */
export function describeLayout(plan: Plan): string {
  const layout = plan.layout;
  if (layout === undefined) return "The plan has no layout.";
  const axes = [
    `PP ${layout.pipelineParallel}`,
    `TP ${layout.tensorParallel}`,
    ...(layout.contextParallel > 1 ? [`CP ${layout.contextParallel}`] : []),
    `DP ${layout.dataParallel}`,
  ].join(" × ");
  const experts = [
    `EP ${layout.expertParallel}`,
    ...(layout.expertTensorParallel > 1 ? [`ETP ${layout.expertTensorParallel}`] : []),
    `ExpertDP ${layout.expertDataParallel}`,
  ].join(" × ");
  return (
    `${count(plan.worldSize, "rank")}: attention on ${axes}, ` +
    `experts on ${experts} by ${SCHEMES[layout.scheme]}; ` +
    `${describeStages(plan)} under ${SCHEDULES[plan.schedule]}, ` +
    `${count(plan.numMicroBatches, "micro-batch", "micro-batches")} of ` +
    `${count(plan.microBatchSize, "sequence")}.`
  );
}

function describeStages(plan: Plan): string {
  const layers = plan.stages.map((stage) => stage.numLayers);
  if (layers.length === 1) return `all ${count(layers[0] ?? 0, "layer")} on one stage`;
  const ranks = plan.layout?.pipelineParallel ?? layers.length;
  const held = layers.length > ranks ? `, ${layers.length / ranks} on each rank,` : "";
  return `stages of [${layers.join(", ")}] layers${held}`;
}

function count(value: number, one: string, many = `${one}s`): string {
  return `${value} ${value === 1 ? one : many}`;
}
