import {
  TimelineEvent_Kind as Kind,
  type LayerReport,
  type StepReport,
} from "../../proto/gen/moestro/v1/report_pb.js";
import type {
  LayerRecord,
  MetricsRecord,
  TimelineKind,
  TimelineRecord,
} from "../report/records.ts";

const TIMELINE_KINDS: Partial<Record<Kind, TimelineKind>> = {
  [Kind.FORWARD]: "forward",
  [Kind.BACKWARD]: "backward",
  [Kind.OPTIMIZER]: "optimizer",
};

/** One line of metrics.jsonl, from the reports of all ranks of a step. */
export function metricsRecord(report: StepReport, time: Date): MetricsRecord {
  const numSteps = Math.max(1, report.numSteps);
  const tokens = Number(report.lossTokens) / numSteps;
  const stages = report.stages.map(({ stage, peakMemoryBytes }) => ({
    stage,
    peakBytes: Number(peakMemoryBytes),
  }));
  return {
    step: Number(report.step),
    loss: report.lossSum / (tokens * numSteps),
    gradNorm: report.gradientNorm,
    lr: report.learningRate,
    tokens,
    stepMs: report.stepMs,
    tokensPerSecond: (tokens / report.stepMs) * 1000,
    layers: report.layers.map(layerRecord),
    memory: { peakBytes: Math.max(...stages.map((stage) => stage.peakBytes)), stages },
    stages: report.stages.map(({ stage, computeMs, communicationMs }) => ({
      stage,
      computeMs,
      communicationMs,
    })),
    ...(report.validationTokens > 0n
      ? { validationLoss: report.validationLossSum / Number(report.validationTokens) }
      : {}),
    ...(numSteps > 1 ? { numSteps } : {}),
    time: time.toISOString(),
  };
}

function layerRecord(report: LayerReport): LayerRecord {
  return {
    layer: report.layer,
    dropRate: dropRate(report),
    auxCoeff: report.auxCoefficient,
    auxLoss: report.auxLossSum / Math.max(1, report.auxLossCount),
    expertLoad: [...report.routed],
    ...(report.zLossSum > 0 ? { zLoss: report.zLossSum / Math.max(1, report.auxLossCount) } : {}),
    ...(report.expertSimilarity === undefined ? {} : { expertSimilarity: report.expertSimilarity }),
  };
}

/** d = dropped assignments / routed assignments of one step (0..1). */
function dropRate(report: LayerReport): number {
  const routed = sum(report.routed);
  return routed === 0 ? 0 : sum(report.dropped) / routed;
}

/** The measured schedule of a step, if the ranks sent one. */
export function timelineRecord(report: StepReport): TimelineRecord | undefined {
  if (report.stages.every((stage) => stage.timeline.length === 0)) return undefined;
  return {
    step: Number(report.step),
    stages: report.stages.map(({ stage, timeline }) => ({
      stage,
      events: timeline.flatMap((event) => {
        const kind = TIMELINE_KINDS[event.kind];
        if (!kind) return [];
        const { microBatch, startMs, endMs } = event;
        return [{ kind, microBatch, startMs, endMs }];
      }),
    })),
  };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
