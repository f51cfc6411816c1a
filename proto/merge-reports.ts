import { clone, create } from "@bufbuild/protobuf";
import {
  type CheckpointShards,
  CheckpointShardsSchema,
  type LayerReport,
  LayerReportSchema,
  type StageReport,
  StageReportSchema,
  type StepReport,
  StepReportSchema,
} from "./gen/moestro/v1/report_pb.js";

/**
 * Merges the reports that several ranks, or several agents, made of one step.
 * How each field merges is said in report.proto. Sums run in the order given:
 * callers pass reports in rank order, so that floating-point sums repeat.
 */
export function mergeStepReports(reports: readonly StepReport[]): StepReport {
  const merged = create(StepReportSchema, { step: reports[0]?.step ?? 0n });
  const layers = new Map<number, LayerReport>();
  const stages = new Map<number, StageReport>();
  for (const report of reports) {
    if (report.step !== merged.step) {
      throw new Error(`reports of steps ${merged.step} and ${report.step} do not merge`);
    }
    merged.numRanks += report.numRanks;
    merged.lossSum += report.lossSum;
    merged.lossTokens += report.lossTokens;
    merged.gradientNorm = report.gradientNorm;
    merged.learningRate = report.learningRate;
    merged.stepMs = Math.max(merged.stepMs, report.stepMs);
    merged.validationLossSum += report.validationLossSum;
    merged.validationTokens += report.validationTokens;
    merged.lateControlValues = max(merged.lateControlValues, report.lateControlValues);
    merged.numSteps = report.numSteps;
    for (const layer of report.layers) mergeLayer(layers, layer);
    for (const stage of report.stages) mergeStage(stages, stage);
  }
  merged.layers = [...layers.values()].sort((a, b) => a.layer - b.layer);
  merged.stages = [...stages.values()].sort((a, b) => a.stage - b.stage);
  return merged;
}

/**
 * Joins what the same ranks reported of consecutive steps, in order, into one report
 * that ends with the last of them: sums add up, times are means per step or, of stages,
 * the longest, and what holds for one step alone is the last step's. One report comes
 * back as it is.
 */
export function joinStepReports(reports: readonly StepReport[]): StepReport {
  const last = reports.at(-1);
  if (!last) throw new Error("there is no report to join");
  if (reports.length === 1) return last;
  const joined = create(StepReportSchema, {
    ...{ step: last.step, numRanks: last.numRanks, gradientNorm: last.gradientNorm },
    learningRate: last.learningRate,
  });
  const layers = new Map<number, LayerReport>();
  const stages = new Map<number, StageReport>();
  let totalMs = 0;
  for (const report of reports) {
    const numSteps = numStepsOf(report);
    joined.numSteps += numSteps;
    totalMs += report.stepMs * numSteps;
    joined.lossSum += report.lossSum;
    joined.lossTokens += report.lossTokens;
    joined.validationLossSum += report.validationLossSum;
    joined.validationTokens += report.validationTokens;
    joined.lateControlValues = max(joined.lateControlValues, report.lateControlValues);
    for (const layer of report.layers) {
      const merged = mergeLayer(layers, layer);
      merged.auxCoefficient = layer.auxCoefficient;
      if (layer.expertSimilarity !== undefined) merged.expertSimilarity = layer.expertSimilarity;
    }
    for (const stage of report.stages) {
      const merged = mergeStage(stages, stage);
      merged.numRanks = stage.numRanks;
      if (stage.timeline.length > 0) merged.timeline = stage.timeline;
    }
  }
  joined.stepMs = totalMs / joined.numSteps;
  joined.layers = [...layers.values()].sort((a, b) => a.layer - b.layer);
  joined.stages = [...stages.values()].sort((a, b) => a.stage - b.stage);
  return joined;
}

/** Steps that a report stands for. */
export function numStepsOf(report: StepReport): number {
  return Math.max(1, report.numSteps);
}

/** Returns the layer's report among `layers`, with this one in it. */
function mergeLayer(layers: Map<number, LayerReport>, report: LayerReport): LayerReport {
  const merged = layers.get(report.layer);
  if (!merged) {
    const first = clone(LayerReportSchema, report);
    layers.set(report.layer, first);
    return first;
  }
  addTo(merged.routed, report.routed);
  addTo(merged.dropped, report.dropped);
  merged.auxLossSum += report.auxLossSum;
  merged.auxLossCount += report.auxLossCount;
  merged.zLossSum += report.zLossSum;
  return merged;
}

/** In place: this is most of what merging does. */
function addTo(sums: number[], counts: readonly number[]): void {
  for (let expert = 0; expert < sums.length; expert += 1) {
    sums[expert] = (sums[expert] ?? 0) + (counts[expert] ?? 0);
  }
}

/** Returns the stage's report among `stages`, with this one in it. */
function mergeStage(stages: Map<number, StageReport>, report: StageReport): StageReport {
  const merged = stages.get(report.stage);
  if (!merged) {
    const first = clone(StageReportSchema, report);
    stages.set(report.stage, first);
    return first;
  }
  merged.numRanks += report.numRanks;
  if (report.computeMs > merged.computeMs) merged.slowestRank = report.slowestRank;
  merged.leastComputeMs = Math.min(merged.leastComputeMs, report.leastComputeMs);
  merged.computeMs = Math.max(merged.computeMs, report.computeMs);
  merged.communicationMs = Math.max(merged.communicationMs, report.communicationMs);
  merged.peakMemoryBytes = max(merged.peakMemoryBytes, report.peakMemoryBytes);
  if (merged.timeline.length === 0) merged.timeline = report.timeline;
  return merged;
}

/** Merges the files that several ranks wrote of one checkpoint. */
export function mergeCheckpointShards(shards: readonly CheckpointShards[]): CheckpointShards {
  const merged = create(CheckpointShardsSchema, { step: shards[0]?.step ?? 0n });
  for (const part of shards) {
    if (part.step !== merged.step) {
      throw new Error(`checkpoint shards of steps ${merged.step} and ${part.step} do not merge`);
    }
    merged.numRanks += part.numRanks;
    merged.files.push(...part.files);
    merged.dataPosition = part.dataPosition;
  }
  return merged;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
