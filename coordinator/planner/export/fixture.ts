import type { RecomputeKind } from "../cost/workload.ts";
import type { ModelShape } from "../model/model-shape.ts";
import type { PlanChoice, PlanDocument, PlannedLayout, PlannedStage } from "../plan-document.ts";

const GIB = 2 ** 30;

/** What a test wants to be special about a plan. */
export interface PlanWish {
  /** Decoder layers of each stage, in the order of stages. */
  layers: readonly number[];
  layout?: Partial<PlannedLayout>;
  /** By stage; what is absent is not recomputed. */
  recompute?: readonly (readonly RecomputeKind[])[];
  mtpLayers?: number;
  denseFirst?: number;
  capacityFactor?: number | "dropless";
}

/** A mixture of experts with latent attention, small numbers of a real kind. */
function shapeOf(layers: number, denseFirst: number, mtpLayers: number): ModelShape {
  return {
    hiddenSize: 7168,
    vocabSize: 129280,
    tiedEmbeddings: false,
    attention: {
      kind: "mla",
      heads: 128,
      qLoraRank: 1536,
      kvLoraRank: 512,
      qkNopeHeadDim: 128,
      qkRopeHeadDim: 64,
      vHeadDim: 128,
    },
    layers: Array.from({ length: layers }, (_, i) => ({ kind: i < denseFirst ? "dense" : "moe" })),
    dense: denseFirst > 0 ? { hiddenSize: 18432, gated: true, bias: false } : undefined,
    moe: {
      experts: 256,
      topK: 8,
      ffn: { hiddenSize: 2048, gated: true, bias: false },
      sharedFfnHiddenSize: 2048,
      sharedGate: false,
      routerBias: true,
    },
    normsPerLayer: 2,
    layerNormBias: false,
    positions: 0,
    mtpLayers,
  };
}

/** A plan whose stages hold these layers; times and memory grow with them. */
export function makePlan(wish: PlanWish): PlanDocument {
  const { denseFirst = 3, mtpLayers = 0 } = wish;
  const numLayers = wish.layers.reduce((sum, n) => sum + n, 0);
  const layout: PlannedLayout = {
    tensorParallel: 2,
    contextParallel: 1,
    pipelineParallel: wish.layers.length,
    dataParallel: 8,
    expertParallel: 16,
    expertTensorParallel: 1,
    scheme: "ep",
    expertDataParallel: 1,
    virtualPipeline: 1,
    rankOrder: "tp-cp-ep-dp-pp",
    microBatchSize: 1,
    numMicroBatches: 16,
    schedule: "1f1b",
    optimizerSharding: "zero1",
    ...wish.layout,
  };
  return {
    job: "fixture",
    model: {
      name: "deepseek-like",
      layers: numLayers,
      hiddenSize: 7168,
      heads: 128,
      kvHeads: 128,
      headDim: 128,
      vocabSize: 129280,
      experts: 256,
      topK: 8,
      totalParameters: 671e9,
      activeParameters: 37e9,
      shape: shapeOf(numLayers, denseFirst, mtpLayers),
    },
    cluster: {
      name: "h100",
      gpus: 16 * layout.pipelineParallel,
      nodes: 2 * layout.pipelineParallel,
      gpusPerNode: 8,
      origin: "preset",
    },
    batch: {
      sequenceLength: 4096,
      globalBatchSize: layout.dataParallel * layout.microBatchSize * layout.numMicroBatches,
      precision: "bf16",
      capacityFactor: wish.capacityFactor ?? "dropless",
      imbalance: 1.1,
    },
    best: choiceOf(layout, wish, mtpLayers),
    alternatives: [],
    baselines: { uniform: null, edp: null, ep: null, etp: null },
    sensitivity: [],
    reasons: [],
    search: { candidates: 1, pruned: 0, evaluated: 1, ms: 1 },
  };
}

function choiceOf(layout: PlannedLayout, wish: PlanWish, mtpLayers: number): PlanChoice {
  const ranks = layout.pipelineParallel;
  let next = 0;
  const stages = wish.layers.map((count, i): PlannedStage => {
    const first = next;
    next += count;
    const last = i === wish.layers.length - 1;
    const recompute = wish.recompute?.[i] ?? Array<RecomputeKind>(count).fill("none");
    const full = recompute.filter((kind) => kind === "full").length;
    const forwardMs = 2 * count + (i === 0 ? 0.5 : 0) + (last ? 1.5 : 0);
    const alive = Math.min(layout.numMicroBatches, ranks - (i % ranks));
    const staticBytes = (8 + 4 * count) * GIB;
    const activationBytes = (count - 0.8 * full) * GIB;
    return {
      stage: i,
      pipelineRank: i % ranks,
      chunk: Math.floor(i / ranks),
      layers: count === 0 ? null : [first, first + count - 1],
      hasEmbedding: i === 0,
      hasHead: last,
      mtpLayers: last ? mtpLayers : 0,
      recompute: [...recompute],
      forwardMs,
      backwardMs: 2 * forwardMs + 2 * full,
      weightGradMs: 0.8 * forwardMs,
      recomputeMs: 2 * full,
      forwardCommunicationMs: 0.1 * forwardMs,
      backwardCommunicationMs: 0.1 * forwardMs,
      inFlightMicroBatches: alive,
      memoryBytes: staticBytes + alive * activationBytes,
      staticBytes,
      activationBytes,
      workspaceBytes: 0,
    };
  });
  const longest = Math.max(...stages.map((stage) => stage.forwardMs + stage.backwardMs));
  const stepTimeMs = longest * (layout.numMicroBatches + ranks - 1);
  return {
    layout,
    stages,
    predicted: {
      stepTimeMs,
      tokensPerSecondPerGpu: 1234.5,
      mfu: 0.412,
      mfuConvention: "causal half of attention, nothing recomputed counted",
      memoryBytesPerStage: Array.from({ length: ranks }, (_, rank) =>
        stages
          .filter((stage) => stage.pipelineRank === rank)
          .reduce((sum, stage) => sum + stage.memoryBytes, 0),
      ),
      hopMs: 0.02,
      memoryLimitBytes: 76 * GIB,
      breakdown: {
        computeMs: 0.6 * stepTimeMs,
        recomputeMs: 0.04 * stepTimeMs,
        communicationMs: 0.1 * stepTimeMs,
        idealBubbleMs: 0.15 * stepTimeMs,
        imbalanceBubbleMs: 0.04 * stepTimeMs,
        recomputeBubbleMs: 0.01 * stepTimeMs,
        communicationBubbleMs: 0.02 * stepTimeMs,
        optimizerMs: 0.04 * stepTimeMs,
      },
    },
    certificate: {
      simulatedMs: stepTimeMs,
      boundMs: 0.999 * stepTimeMs,
      gap: 0.001,
      covers: "all splits and recompute choices under 1F1B",
    },
  };
}
