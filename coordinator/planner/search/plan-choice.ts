import { schemeOf } from "../layout/sizes.ts";
import { MFU_CONVENTION, modelFlopsPerToken } from "../model/model-flops.ts";
import type { PlanChoice, PlannedStage, Predicted } from "../plan-document.ts";
import { type BubbleSplit, type StageTime, splitBubble } from "./bubble.ts";
import { gpusOf } from "./candidate.ts";
import {
  costOf,
  type Solved,
  type SolvedStage,
  simulateStages,
  stageTimes,
} from "./solve-candidate.ts";

/** A solved candidate as the plan document tells it. */
export function planChoice(solved: Solved): PlanChoice {
  const { candidate, schedule } = solved;
  const { placement, workload } = candidate;
  const stages = plannedStages(solved);
  const memoryBytesPerStage = memoryPerRank(stages, placement.pipelineParallel);
  return {
    layout: {
      scheme: schemeOf(placement),
      tensorParallel: placement.tensorParallel,
      contextParallel: placement.contextParallel,
      pipelineParallel: placement.pipelineParallel,
      virtualPipeline: placement.virtualPipeline,
      dataParallel: placement.dataParallel,
      expertParallel: placement.expertParallel,
      expertTensorParallel: placement.expertTensorParallel,
      expertDataParallel: placement.expertDataParallel,
      rankOrder: "tp-cp-ep-dp-pp",
      microBatchSize: placement.microBatchSize,
      numMicroBatches: candidate.numMicroBatches,
      schedule,
      optimizerSharding: workload.optimizerSharding,
    },
    stages,
    predicted: predict(solved, memoryBytesPerStage),
    certificate: {
      simulatedMs: solved.simulatedMs,
      boundMs: solved.boundMs,
      gap: solved.gap,
      covers:
        schedule === "1f1b"
          ? "all splits and recompute choices of this layout under 1F1B"
          : `a lower bound on any split under ${schedule}`,
    },
  };
}

function plannedStages(solved: Solved): PlannedStage[] {
  const { candidate, parts, stages } = solved;
  const p = candidate.placement.pipelineParallel;
  const times = stageTimes(solved);
  return stages.map((stage, index) => {
    const rank = rankOf(solved, index);
    const own = parts.parts.slice(stage.from, stage.to);
    const layers = own.flatMap(({ layer }) => (layer === undefined ? [] : [layer]));
    const kinds = own.flatMap((part) => parts.classes[part.class]?.kinds ?? []);
    const [first] = layers;
    const last = layers.at(-1);
    const memory = stageMemory(solved, stage);
    const { forwardMs, backwardMs, recomputeMs } = times[index] as StageTime;
    const alive = stage.inFlightMicroBatches;
    return {
      stage: index,
      pipelineRank: rank,
      chunk: Math.floor(index / p),
      layers: first === undefined || last === undefined ? null : [first, last],
      hasEmbedding: kinds.includes("embedding"),
      hasHead: kinds.includes("head"),
      mtpLayers: kinds.filter((kind) => kind === "mtp").length,
      recompute: stage.recompute.slice(0, layers.length),
      forwardMs,
      backwardMs,
      recomputeMs,
      inFlightMicroBatches: alive,
      memoryBytes: memory.staticBytes + alive * memory.activationBytes + memory.workspaceBytes,
      ...memory,
    };
  });
}

function rankOf({ candidate, schedule }: Solved, stage: number): number {
  const p = candidate.placement.pipelineParallel;
  // DualPipeV walks the ranks there and back again.
  return schedule === "dualpipev" && stage >= p ? 2 * p - 1 - stage : stage % p;
}

function stageMemory({ candidate, parts }: Solved, { from, to, recompute }: SolvedStage) {
  let staticBytes = 0;
  let activationBytes = 0;
  let workspaceBytes = 0;
  for (let part = from; part < to; part++) {
    const cost = costOf(candidate, parts, part);
    const kind = recompute[part - from] ?? "none";
    staticBytes += cost.staticBytes;
    activationBytes += cost.activationBytes[kind];
    workspaceBytes = Math.max(workspaceBytes, cost.workspaceBytes[kind]);
  }
  return { staticBytes, activationBytes, workspaceBytes };
}

/** Chunks of a rank share its memory, and one workspace. */
function memoryPerRank(
  stages: readonly (PlannedStage & { workspaceBytes?: number })[],
  numRanks: number,
): number[] {
  const bytes = new Array<number>(numRanks).fill(0);
  const workspace = new Array<number>(numRanks).fill(0);
  for (const stage of stages) {
    const rank = stage.pipelineRank;
    const own =
      stage.memoryBytes - stage.staticBytes - stage.inFlightMicroBatches * stage.activationBytes;
    bytes[rank] = (bytes[rank] ?? 0) + stage.memoryBytes - own;
    workspace[rank] = Math.max(workspace[rank] ?? 0, own);
  }
  return bytes.map((value, rank) => value + (workspace[rank] ?? 0));
}

function predict(solved: Solved, memoryBytesPerStage: number[]): Predicted {
  const { candidate, stepTimeMs, simulatedMs } = solved;
  const { workload, placement, numMicroBatches, p2pMs } = candidate;
  const { sequenceLength, globalBatchSize, cluster, model } = workload;
  const ranks = gpusOf(placement);
  const tokensPerSecondPerGpu = (globalBatchSize * sequenceLength) / ranks / (stepTimeMs / 1000);
  const peak =
    cluster.accelerator.peakFlops.bf16 ?? cluster.accelerator.peakFlops.fp32 ?? Number.NaN;
  const times = stageTimes(solved);
  const p = placement.pipelineParallel;
  const perRank = (pick: (stage: StageTime) => number) =>
    (numMicroBatches / p) * times.reduce((sum, stage) => sum + pick(stage), 0);
  const communicationMs = perRank(
    (stage) => stage.forwardCommunicationMs + stage.backwardCommunicationMs,
  );
  const recomputeMs = perRank((stage) => stage.recomputeMs);
  const bubble: BubbleSplit =
    p === 1
      ? { idealMs: 0, imbalanceMs: 0, recomputeMs: 0, communicationMs: 0 }
      : splitBubble(times, p, numMicroBatches, p2pMs, (stages, hopMs) =>
          simulateStages(stages, numMicroBatches, hopMs),
        );
  return {
    stepTimeMs,
    tokensPerSecondPerGpu,
    mfu: (tokensPerSecondPerGpu * modelFlopsPerToken(model, sequenceLength)) / peak,
    mfuConvention: MFU_CONVENTION,
    memoryBytesPerStage,
    hopMs: p2pMs,
    memoryLimitBytes: solved.limitBytes,
    breakdown: {
      computeMs:
        perRank((stage) => stage.forwardMs + stage.backwardMs) - communicationMs - recomputeMs,
      recomputeMs,
      communicationMs,
      idealBubbleMs: bubble.idealMs,
      imbalanceBubbleMs: bubble.imbalanceMs,
      recomputeBubbleMs: bubble.recomputeMs,
      communicationBubbleMs: bubble.communicationMs,
      optimizerMs: stepTimeMs - simulatedMs,
    },
  };
}
