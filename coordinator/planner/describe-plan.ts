import { type Plan, Scheme, type Stage } from "../../proto/gen/moestro/v1/plan_pb.js";
import { formatBytes, formatCount } from "../report/format.ts";
import type { Job } from "../spec/schema.ts";
import { countRankParameters } from "./model/parameters.ts";
import { shapeOfJob } from "./model/shape-of-job.ts";
import { recomputeName, scheduleName, shardingName } from "./plan-names.ts";
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
    `  batch      ${job.training.globalBatchSize} sequences = ${plan.numMicroBatches} micro-batches x ${plan.microBatchSize} x data ${layout.dataParallel}, ${schedule(plan)}`,
  ];
}

function schedule(plan: Plan): string {
  const chunks = plan.layout?.virtualPipeline ?? 1;
  const sharding = shardingName(plan.optimizerSharding);
  return [
    scheduleName(plan.schedule).replace("1f1b", "1F1B"),
    chunks > 1 ? `${chunks} chunks a rank` : "",
    sharding === "none" ? "" : sharding,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

function describeStages(plan: Plan, job: Job, color: boolean): string[] {
  const work = plan.stages.map((stage) => stage.forwardFlops + stage.backwardFlops);
  const total = work.reduce((sum, flops) => sum + flops, 0);
  const largest = Math.max(...work);
  const isChunked = plan.stages.length > (plan.layout?.pipelineParallel ?? 1);
  const rows = plan.stages.map((stage, index) => {
    const flops = work[index] as number;
    return [
      String(stage.index),
      ...(isChunked ? [String(stage.pipelineRank)] : []),
      String(stage.numLayers),
      layerRange(stage),
      String(stage.expertsPerRank),
      formatCount(stageParameters(plan, job, stage)),
      `${((100 * flops) / total).toFixed(1)} %`,
      bar(flops / largest, color),
      notes(stage),
    ];
  });
  const rank = isChunked ? ["rank"] : [];
  const heads = ["stage", ...rank, "layers", "which", "experts", "params", "work", "", ""];
  return table([heads, ...rows]).map((line) => `  ${line}`);
}

function stageParameters(plan: Plan, job: Job, stage: Stage): number {
  return plan.layout === undefined ? 0 : countRankParameters(shapeOfJob(job), plan.layout, stage);
}

function layerRange({ firstLayer, numLayers }: Stage): string {
  return numLayers === 1 ? String(firstLayer) : `${firstLayer}-${firstLayer + numLayers - 1}`;
}

function notes(stage: Stage): string {
  const kinds = stage.recompute.map(recomputeName);
  const recomputed = (["selective", "full"] as const).flatMap((kind) => {
    const count = kinds.filter((other) => other === kind).length;
    return count === 0 ? [] : [`${count} recomputed${kind === "full" ? "" : ` (${kind})`}`];
  });
  return [stage.hasEmbedding ? "embedding" : "", stage.hasHead ? "head" : "", ...recomputed]
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
  const { makespanFlops, boundFlops, memoryBytes } = prediction;
  const gap = (100 * (makespanFlops - boundFlops)) / makespanFlops;
  return [
    `  balance ${(100 * prediction.balance).toFixed(1)} % (mean rank over slowest), bubble ${(100 * prediction.bubbleFraction).toFixed(1)} % of rank time`,
    `  one step ${makespanFlops.toExponential(3)} FLOPs of a rank, lower bound ${boundFlops.toExponential(3)} (gap ${Math.max(0, gap).toFixed(2)} %)`,
    ...(memoryBytes.length === 0
      ? []
      : [`  peak memory of a rank, by pipeline rank: ${memoryOf(memoryBytes)}`]),
  ];
}

/** At most four of them, then the range. */
function memoryOf(bytes: readonly number[]): string {
  if (bytes.length <= 4) return bytes.map(formatBytes).join(", ");
  return `${formatBytes(Math.min(...bytes))} to ${formatBytes(Math.max(...bytes))}`;
}
