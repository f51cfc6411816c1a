import type { ModelShape } from "../planner/model/model-shape.ts";
import type { Model, ModelKind } from "./schema.ts";

/**
 * A shape as a job's model section writes it. What is usual is left out, dense
 * layers stand at the beginning, windows at regular distances, as in every preset.
 */
export function modelOfShape(shape: ModelShape): Omit<Model, "ropeTheta" | "rmsNormEps"> {
  const { attention, moe, dense, layers } = shape;
  const isMla = attention.kind === "mla";
  return {
    layers: layers.length,
    hiddenSize: shape.hiddenSize,
    heads: attention.heads,
    kvHeads: isMla ? attention.heads : attention.kvHeads,
    headDim: isMla ? attention.qkNopeHeadDim + attention.qkRopeHeadDim : attention.headDim,
    ffnHiddenSize: (moe?.ffn ?? dense)?.hiddenSize ?? 0,
    vocabSize: shape.vocabSize,
    tiedEmbeddings: shape.tiedEmbeddings,
    ...attentionKind(attention),
    ...layerKind(shape),
    ...expertKind(shape),
    ...(shape.normsPerLayer === 2 ? {} : { normsPerLayer: shape.normsPerLayer }),
    ...(shape.mtpLayers > 0 ? { mtpLayers: shape.mtpLayers } : {}),
  };
}

function attentionKind(attention: ModelShape["attention"]): ModelKind {
  if (attention.kind === "mla") {
    const { kind: _kind, heads: _heads, ...latentAttention } = attention;
    return { latentAttention };
  }
  return {
    ...(attention.qkvBias ? { qkvBias: true } : {}),
    ...(attention.outBias ? { attentionOutBias: true } : {}),
    ...(attention.qkNorm ? { qkNorm: true } : {}),
    ...(attention.sinks ? { attentionSinks: true } : {}),
  };
}

function layerKind({ layers, dense, moe }: ModelShape): ModelKind {
  const numDense = layers.filter(({ kind }) => kind === "dense").length;
  const window = layers.find((layer) => layer.window !== undefined)?.window;
  const firstFull = layers.findIndex((layer) => layer.window === undefined) + 1;
  return {
    ...(moe === undefined || dense === undefined
      ? {}
      : { denseLayers: numDense, denseFfnHiddenSize: dense.hiddenSize }),
    ...(window === undefined ? {} : { slidingWindow: window }),
    ...(window === undefined || firstFull === 0 ? {} : { fullAttentionEvery: firstFull }),
  };
}

function expertKind({ moe }: ModelShape): ModelKind {
  if (moe === undefined) return {};
  const { sharedFfnHiddenSize, sharedGate, routerBias, ffn } = moe;
  return {
    ...(sharedFfnHiddenSize > 0 ? { sharedFfnHiddenSize } : {}),
    ...(sharedGate ? { sharedExpertGate: true } : {}),
    ...(ffn.bias ? { ffnBias: true } : {}),
    routerBias,
  };
}
