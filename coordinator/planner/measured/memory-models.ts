import type { LayerShape, ModelShape } from "../model/model-shape.ts";

/** Sizes of a dense model of Llama's kind, as the measured runs give them. */
export interface DenseSizes {
  hiddenSize: number;
  ffnHiddenSize: number;
  layers: number;
  heads: number;
  kvHeads: number;
  vocabSize: number;
  tiedEmbeddings?: boolean | undefined;
}

/** A dense decoder with grouped-query attention, SwiGLU and RMSNorm. */
export function denseModel(sizes: DenseSizes): ModelShape {
  const { hiddenSize, ffnHiddenSize, heads, kvHeads, vocabSize } = sizes;
  return {
    hiddenSize,
    vocabSize,
    tiedEmbeddings: sizes.tiedEmbeddings ?? false,
    attention: {
      kind: "gqa",
      heads,
      kvHeads,
      headDim: hiddenSize / heads,
      qkvBias: false,
      outBias: false,
      qkNorm: false,
      sinks: false,
    },
    layers: layers("dense", sizes.layers),
    dense: { hiddenSize: ffnHiddenSize, gated: true, bias: false },
    normsPerLayer: 2,
    layerNormBias: false,
    positions: 0,
    mtpLayers: 0,
  };
}

/**
 * The proxy models of SimuMax's B200 table: configs/models of its repository,
 * cut to fewer layers. The 405B's key-value heads are padded to 16 there, and
 * both DeepSeeks begin with one dense layer.
 */
export const SIMUMAX_MODELS: Record<string, (numLayers: number) => ModelShape> = {
  llama3_70b: (numLayers) =>
    denseModel({
      hiddenSize: 8192,
      ffnHiddenSize: 28672,
      layers: numLayers,
      heads: 64,
      kvHeads: 8,
      vocabSize: 128256,
    }),
  llama3_405b: (numLayers) =>
    denseModel({
      hiddenSize: 16384,
      ffnHiddenSize: 53248,
      layers: numLayers,
      heads: 128,
      kvHeads: 16,
      vocabSize: 128256,
    }),
  deepseekv2: (numLayers) =>
    deepSeek(numLayers, {
      hidden: 5120,
      ffn: 12288,
      experts: 160,
      topK: 6,
      expert: 1536,
      shared: 3072,
      vocab: 102400,
    }),
  deepseekv3: (numLayers) =>
    deepSeek(numLayers, {
      hidden: 7168,
      ffn: 18432,
      experts: 256,
      topK: 8,
      expert: 2048,
      shared: 2048,
      vocab: 129280,
    }),
};

interface DeepSeekSizes {
  hidden: number;
  ffn: number;
  experts: number;
  topK: number;
  expert: number;
  shared: number;
  vocab: number;
}

function deepSeek(numLayers: number, sizes: DeepSeekSizes): ModelShape {
  return {
    hiddenSize: sizes.hidden,
    vocabSize: sizes.vocab,
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
    layers: [{ kind: "dense" }, ...layers("moe", numLayers - 1)],
    dense: { hiddenSize: sizes.ffn, gated: true, bias: false },
    moe: {
      experts: sizes.experts,
      topK: sizes.topK,
      ffn: { hiddenSize: sizes.expert, gated: true, bias: false },
      sharedFfnHiddenSize: sizes.shared,
      sharedGate: false,
      routerBias: false,
    },
    normsPerLayer: 2,
    layerNormBias: false,
    positions: 0,
    mtpLayers: 0,
  };
}

/**
 * "Mixtral-8x2B with reduced layers" of the MoE memory estimator in mbridge: its
 * README prints the modules of this model with the parameters of each, from
 * which every size follows (4 layers, FFN 5440, 16 heads, 8 key-value heads).
 */
export function reducedMixtral(numLayers: number): ModelShape {
  const attention = denseModel({
    hiddenSize: 2048,
    ffnHiddenSize: 5440,
    layers: numLayers,
    heads: 16,
    kvHeads: 8,
    vocabSize: 32000,
  });
  return {
    ...attention,
    layers: layers("moe", numLayers),
    dense: undefined,
    moe: {
      experts: 8,
      topK: 2,
      ffn: { hiddenSize: 5440, gated: true, bias: false },
      sharedFfnHiddenSize: 0,
      sharedGate: false,
      routerBias: false,
    },
  };
}

function layers(kind: LayerShape["kind"], count: number): LayerShape[] {
  return Array.from({ length: count }, () => ({ kind }));
}
