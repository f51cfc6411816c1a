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
    for (const layer of report.layers) mergeLayer(layers, layer);
    for (const stage of report.stages) mergeStage(stages, stage);
  }
  merged.layers = [...layers.values()].sort((a, b) => a.layer - b.layer);
  merged.stages = [...stages.values()].sort((a, b) => a.stage - b.stage);
  return merged;
}

function mergeLayer(layers: Map<number, LayerReport>, report: LayerReport): void {
  const merged = layers.get(report.layer);
  if (!merged) {
    layers.set(report.layer, clone(LayerReportSchema, report));
    return;
  }
  merged.routed = merged.routed.map((count, expert) => count + (report.routed[expert] ?? 0n));
  merged.dropped = merged.dropped.map((count, expert) => count + (report.dropped[expert] ?? 0n));
  merged.auxLossSum += report.auxLossSum;
  merged.auxLossCount += report.auxLossCount;
  merged.zLossSum += report.zLossSum;
}

function mergeStage(stages: Map<number, StageReport>, report: StageReport): void {
  const merged = stages.get(report.stage);
  if (!merged) {
    stages.set(report.stage, clone(StageReportSchema, report));
    return;
  }
  merged.numRanks += report.numRanks;
  merged.computeMs = Math.max(merged.computeMs, report.computeMs);
  merged.communicationMs = Math.max(merged.communicationMs, report.communicationMs);
  merged.peakMemoryBytes = max(merged.peakMemoryBytes, report.peakMemoryBytes);
  if (merged.timeline.length === 0) merged.timeline = report.timeline;
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
