import { type Plan, Recompute, Scheme, type Stage } from "../../proto/gen/moestro/v1/plan_pb.js";
import { formatCount } from "../report/format.ts";
import type { Job } from "../spec/schema.ts";
import { countRankParameters } from "./model/parameters.ts";
import { table, wrap } from "./text-table.ts";

const WIDTH = 100;
const BAR_WIDTH = 20;

const SCHEME_NAMES: Record<Scheme, string> = {
  [Scheme.UNSPECIFIED]: "unspecified",
  [Scheme.EDP]: "edp (expert data parallelism)",
  [Scheme.EP]: "ep (expert parallelism)",
  [Scheme.ETP]: "etp (expert tensor parallelism)",
  [Scheme.FOLDED]: "folded",
};

export interface DescribeOptions {
  /** Whether ANSI colours may be used. */
  color: boolean;
}

/** A plan for a person: layout, stages, balance and why; at most 100 columns. */
export function describePlan(plan: Plan, job: Job, { color }: DescribeOptions): string {
  const heading = (text: string) => (color ? `\u001b[1m${text}\u001b[0m` : text);
  return [
    heading(`Plan for ${job.name}`),
    ...describeModel(plan, job),
    "",
    heading("Layout"),
    ...describeLayout(plan, job),
    "",
    heading("Stages (experts and parameters of one rank)"),
    ...describeStages(plan, job, color),
    "",
    heading("Predicted"),
    ...describePrediction(plan),
    "",
    heading("Why"),
    ...plan.reasons.flatMap((reason) => wrap(reason, WIDTH, "  - ", "    ")),
    "",
  ].join("\n");
}

function describeModel(plan: Plan, job: Job): string[] {
  const { layers } = job.model;
  const { experts, topK } = job.moe;
  const total = Number(plan.prediction?.totalParameters ?? 0n);
  const active = Number(plan.prediction?.activeParameters ?? 0n);
  return [
    `  ${layers} layers, ${experts} experts each, top-${topK}; ${formatCount(total)} parameters, ${formatCount(active)} active per token`,
  ];
}

function describeLayout(plan: Plan, job: Job): string[] {
  const { layout } = plan;
  if (layout === undefined) return [];
  return [
    `  scheme     ${SCHEME_NAMES[layout.scheme]}, ${plan.worldSize} ranks, order ${layout.rankOrder}`,
    `  attention  tensor ${layout.tensorParallel} x context ${layout.contextParallel} x data ${layout.dataParallel} x pipeline ${layout.pipelineParallel}`,
    `  experts    tensor ${layout.expertTensorParallel} x expert ${layout.expertParallel} x data ${layout.expertDataParallel} x pipeline ${layout.pipelineParallel}`,
    `  batch      ${job.training.globalBatchSize} sequences = ${plan.numMicroBatches} micro-batches x ${plan.microBatchSize} x data ${layout.dataParallel}, 1F1B`,
  ];
}

function describeStages(plan: Plan, job: Job, color: boolean): string[] {
  const work = plan.stages.map((stage) => stage.forwardFlops + stage.backwardFlops);
  const total = work.reduce((sum, flops) => sum + flops, 0);
  const largest = Math.max(...work);
  const rows = plan.stages.map((stage, index) => {
    const flops = work[index] as number;
    return [
      String(stage.index),
      String(stage.numLayers),
      layerRange(stage),
      String(stage.expertsPerRank),
      formatCount(stageParameters(plan, job, stage)),
      `${((100 * flops) / total).toFixed(1)} %`,
      bar(flops / largest, color),
      notes(stage),
    ];
  });
  const heads = ["stage", "layers", "which", "experts", "params", "work", "", ""];
  return table([heads, ...rows]).map((line) => `  ${line}`);
}

function stageParameters(plan: Plan, job: Job, stage: Stage): number {
  return plan.layout === undefined
    ? 0
    : countRankParameters(job.model, job.moe, plan.layout, stage);
}

function layerRange({ firstLayer, numLayers }: Stage): string {
  return numLayers === 1 ? String(firstLayer) : `${firstLayer}-${firstLayer + numLayers - 1}`;
}

function notes(stage: Stage): string {
  const recomputed = stage.recompute.filter((kind) => kind === Recompute.FULL).length;
  return [
    stage.hasEmbedding ? "embedding" : "",
    stage.hasHead ? "head" : "",
    recomputed > 0 ? `${recomputed} recomputed` : "",
  ]
    .filter((note) => note !== "")
    .join(", ");
}

function bar(share: number, color: boolean): string {
  const filled = Math.round(share * BAR_WIDTH);
  const text = "#".repeat(filled).padEnd(BAR_WIDTH, ".");
  return color ? `\u001b[36m${text.slice(0, filled)}\u001b[2m${text.slice(filled)}\u001b[0m` : text;
}

function describePrediction(plan: Plan): string[] {
  const { prediction } = plan;
  if (prediction === undefined) return [];
  const { makespanFlops, boundFlops } = prediction;
  const gap = (100 * (makespanFlops - boundFlops)) / makespanFlops;
  return [
    `  balance ${(100 * prediction.balance).toFixed(1)} % (mean stage over slowest), bubble ${(100 * prediction.bubbleFraction).toFixed(1)} % of rank time`,
    `  one step ${makespanFlops.toExponential(3)} FLOPs of a rank, lower bound ${boundFlops.toExponential(3)} (gap ${Math.max(0, gap).toFixed(2)} %)`,
  ];
}
