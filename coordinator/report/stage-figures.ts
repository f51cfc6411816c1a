import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { ranksOfStages } from "./chunks.ts";
import type { MetricsRecord, TimelineRecord } from "./records.ts";

/** One stage's step, predicted by the plan and as measured. */
export type StageFigures = {
  stage: number;
  /**
   * The stage's share of the plan's FLOPs, as milliseconds of the compute that
   * all stages together were measured to need. NaN without a plan.
   */
  predictedMs: number;
  /** Median over the steps after warm-up. */
  computeMs: number;
  communicationMs: number;
  peakBytes: number;
  /** Of the rank that holds the stage; NaN when the plan predicted none. */
  predictedPeakBytes: number;
};

/** The first steps pay for allocation and caches: this share is left out. */
const WARM_UP_SHARE = 0.2;

/** One entry a stage that reported; none if no step was completed. */
export function stageFigures(
  plan: Plan | undefined,
  metrics: readonly MetricsRecord[],
): StageFigures[] {
  const steady = metrics.slice(Math.floor(metrics.length * WARM_UP_SHARE));
  const last = steady.at(-1);
  if (last === undefined) return [];
  const measured = last.stages.map(({ stage }, i) => ({
    stage,
    computeMs: median(steady.map((record) => record.stages[i]?.computeMs ?? Number.NaN)),
    communicationMs: median(
      steady.map((record) => record.stages[i]?.communicationMs ?? Number.NaN),
    ),
    peakBytes: last.memory.stages.find((entry) => entry.stage === stage)?.peakBytes ?? Number.NaN,
  }));
  const flops = (stage: number) => {
    const planned = plan?.stages.find((entry) => entry.index === stage);
    return planned === undefined ? Number.NaN : planned.forwardFlops + planned.backwardFlops;
  };
  const ranks = ranksOfStages(plan);
  const predictedPeak = (stage: number) =>
    plan?.prediction?.memoryBytes[ranks?.[stage] ?? stage] ?? Number.NaN;
  const totalFlops = sum(measured.map(({ stage }) => flops(stage)));
  const totalMs = sum(measured.map(({ computeMs }) => computeMs));
  return measured.map((entry) => ({
    ...entry,
    predictedMs: (flops(entry.stage) / totalFlops) * totalMs,
    predictedPeakBytes: predictedPeak(entry.stage),
  }));
}

/** Mean over the largest, 1 is perfectly balanced: the plan's own measure. */
export function balance(values: readonly number[]): number {
  return sum(values) / values.length / Math.max(...values);
}

/** Share of the pipeline ranks' time, from first block to last, in which nothing ran. */
export function idleShare(timeline: TimelineRecord, numRanks = timeline.stages.length): number {
  const events = timeline.stages.flatMap((stage) => stage.events);
  // The optimizer is no part of the pipeline schedule.
  const blocks = events.filter((event) => event.kind !== "optimizer");
  if (blocks.length === 0) return Number.NaN;
  const start = blocks.reduce((least, block) => Math.min(least, block.startMs), Infinity);
  const end = blocks.reduce((most, block) => Math.max(most, block.endMs), -Infinity);
  const busy = sum(blocks.map((block) => block.endMs - block.startMs));
  return 1 - busy / ((end - start) * numRanks);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function median(values: readonly number[]): number {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
