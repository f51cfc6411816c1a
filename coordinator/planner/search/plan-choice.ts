import { schemeOf } from "../layout/sizes.ts";
import { MFU_CONVENTION, modelFlopsPerToken } from "../model/model-flops.ts";
import type { PlanChoice, PlannedStage, Predicted } from "../plan-document.ts";
import { bubbleSplit } from "../schedule/event-simulator.ts";
import { rankOf } from "../schedule/table.ts";
import { gpusOf } from "./candidate.ts";
import { hidesCommunication } from "./scheduled-costs.ts";
import type { Solved } from "./solve-candidate.ts";
import { is1F1B } from "./solve-stages.ts";
import { stageCosts, tableOfSolved } from "./stage-costs.ts";

/** A solved candidate as the plan document tells it. */
export function planChoice(solved: Solved): PlanChoice {
  const { candidate, schedule } = solved;
  const { placement, workload } = candidate;
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
    stages: plannedStages(solved),
    predicted: predict(solved),
    certificate: {
      simulatedMs: solved.simulatedMs,
      boundMs: solved.boundMs,
      gap: solved.gap,
      covers: coverOf(solved),
    },
  };
}

/** What the bound of a candidate's pipeline is a bound on. */
function coverOf({ candidate, schedule, constraints }: Solved): string {
  const { layersPerStage, evenStages } = constraints;
  const isExact = is1F1B(schedule, candidate.placement.pipelineParallel);
  if (isExact && (layersPerStage !== undefined || evenStages === true)) {
    return "the pipeline with all recompute choices of these stages under 1F1B";
  }
  const all = "all splits and recompute choices of this layout";
  return isExact
    ? `the pipeline with ${all} under 1F1B`
    : `a lower bound on the pipeline with ${all} under ${schedule}`;
}

function plannedStages(solved: Solved): PlannedStage[] {
  const { candidate, parts, schedule, stages } = solved;
  const p = candidate.placement.pipelineParallel;
  const costs = stageCosts(solved);
  return costs.map((cost, index) => {
    const stage = stages[index] as Solved["stages"][number];
    const own = parts.parts.slice(stage.from, stage.to);
    const layers = own.flatMap(({ layer }) => (layer === undefined ? [] : [layer]));
    const kinds = own.flatMap((part) => parts.classes[part.class]?.kinds ?? []);
    const [first] = layers;
    const last = layers.at(-1);
    const { staticBytes, activationBytes, workspaceBytes, forwardCommunicationMs } = cost;
    const { backwardCommunicationMs, weightGradMs, recomputeMs } = cost;
    const inFlight = stage.inFlightMicroBatches;
    return {
      stage: index,
      pipelineRank: rankOf(schedule, p, index),
      chunk: Math.floor(index / p),
      layers: first === undefined || last === undefined ? null : [first, last],
      hasEmbedding: kinds.includes("embedding"),
      hasHead: kinds.includes("head"),
      mtpLayers: kinds.filter((kind) => kind === "mtp").length,
      recompute: stage.recompute.slice(0, layers.length),
      forwardMs: cost.forwardMs + forwardCommunicationMs,
      backwardMs: cost.inputGradMs + weightGradMs + backwardCommunicationMs,
      weightGradMs,
      recomputeMs,
      forwardCommunicationMs,
      backwardCommunicationMs,
      inFlightMicroBatches: inFlight,
      memoryBytes: staticBytes + inFlight * activationBytes + workspaceBytes,
      staticBytes,
      activationBytes,
      workspaceBytes,
    };
  });
}

function predict(solved: Solved): Predicted {
  const { candidate, stepTimeMs, simulatedMs, schedule } = solved;
  const { workload, placement, numMicroBatches, p2pMs } = candidate;
  const { sequenceLength, globalBatchSize, cluster, model } = workload;
  const tokens = globalBatchSize * sequenceLength;
  const tokensPerSecondPerGpu = tokens / gpusOf(placement) / (stepTimeMs / 1000);
  const peak =
    cluster.accelerator.peakFlops.bf16 ?? cluster.accelerator.peakFlops.fp32 ?? Number.NaN;
  const costs = stageCosts(solved);
  const perRank = (pick: (stage: (typeof costs)[number]) => number) =>
    (numMicroBatches / placement.pipelineParallel) *
    costs.reduce((sum, stage) => sum + pick(stage), 0);
  const recomputeMs = perRank((stage) => stage.recomputeMs);
  // Where communication hides, what shows of it is part of the bubble.
  const communicationMs = hidesCommunication(schedule)
    ? 0
    : perRank((stage) => stage.forwardCommunicationMs + stage.backwardCommunicationMs);
  const bubble = bubbleSplit(tableOfSolved(solved), costs, p2pMs, !hidesCommunication(schedule));
  return {
    stepTimeMs,
    tokensPerSecondPerGpu,
    mfu: (tokensPerSecondPerGpu * modelFlopsPerToken(model, sequenceLength)) / peak,
    mfuConvention: MFU_CONVENTION,
    memoryBytesPerStage: [...solved.memoryBytesOfRank],
    hopMs: p2pMs,
    memoryLimitBytes: solved.limitBytes,
    breakdown: {
      computeMs:
        perRank((stage) => stage.forwardMs + stage.inputGradMs + stage.weightGradMs) - recomputeMs,
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
