import type { Job } from "../../spec/schema.ts";
import type { ExpertsShape, FfnShape, LayerShape, ModelShape } from "./model-shape.ts";

type ModelOfJob = Pick<Job, "model"> & { moe: Pick<Job["moe"], "experts" | "topK"> };

/** The planner's view of a job's model. */
export function shapeOfJob(job: ModelOfJob): ModelShape {
  const { model, moe } = job;
  const layers = layersOf(job);
  const hasDense = layers.some(({ kind }) => kind === "dense");
  const hasExperts = layers.some(({ kind }) => kind === "moe");
  return {
    hiddenSize: model.hiddenSize,
    vocabSize: model.vocabSize,
    tiedEmbeddings: model.tiedEmbeddings,
    attention: attentionOf(model),
    layers,
    ...(hasDense ? { dense: ffnOf(model, model.denseFfnHiddenSize ?? model.ffnHiddenSize) } : {}),
    ...(hasExperts ? { moe: expertsOf(model, moe) } : {}),
    normsPerLayer: model.normsPerLayer ?? 2,
    layerNormBias: model.normBias ?? false,
    positions: model.learnedPositions ?? 0,
    mtpLayers: model.mtpLayers ?? 0,
  };
}

function attentionOf(model: Job["model"]): ModelShape["attention"] {
  const { heads, kvHeads, headDim, latentAttention } = model;
  if (latentAttention !== undefined) return { kind: "mla", heads, ...latentAttention };
  return {
    kind: "gqa",
    heads,
    kvHeads,
    headDim,
    qkvBias: model.qkvBias ?? false,
    outBias: model.attentionOutBias ?? false,
    qkNorm: model.qkNorm ?? false,
    sinks: model.attentionSinks ?? false,
  };
}

function layersOf({ model, moe }: ModelOfJob): LayerShape[] {
  const { denseLayers = 0, slidingWindow, fullAttentionEvery } = model;
  const isDense = (index: number) =>
    moe.experts === 0 ||
    (typeof denseLayers === "number" ? index < denseLayers : denseLayers.includes(index));
  const isFull = (index: number) =>
    fullAttentionEvery !== undefined && (index + 1) % fullAttentionEvery === 0;
  return Array.from({ length: model.layers }, (_, index) => {
    const kind = isDense(index) ? "dense" : "moe";
    return slidingWindow === undefined || isFull(index)
      ? { kind }
      : { kind, window: slidingWindow };
  });
}

/** The engine's gate has a bias an expert, so a job's model has one unless it says. */
function expertsOf(model: Job["model"], moe: ModelOfJob["moe"]): ExpertsShape {
  return {
    experts: moe.experts,
    topK: moe.topK,
    ffn: ffnOf(model, model.ffnHiddenSize),
    sharedFfnHiddenSize: model.sharedFfnHiddenSize ?? 0,
    sharedGate: model.sharedExpertGate ?? false,
    routerBias: model.routerBias ?? true,
  };
}

function ffnOf(model: Job["model"], hiddenSize: number): FfnShape {
  return { hiddenSize, gated: model.gatedFfn ?? true, bias: model.ffnBias ?? false };
}
