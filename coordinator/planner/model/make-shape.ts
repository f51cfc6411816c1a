import type {
  ExpertsShape,
  GroupedQueryAttention,
  LatentAttention,
  LayerShape,
  ModelShape,
} from "./model-shape.ts";

type Outline = readonly [layers: number, hiddenSize: number, vocabSize: number];
type Heads = readonly [heads: number, kvHeads: number, headDim: number];

interface Particulars {
  attention?: Partial<GroupedQueryAttention>;
  /** How many layers at the beginning are dense, and the width of their FFN. */
  firstDense?: readonly [layers: number, ffnHiddenSize: number];
  moe?: Partial<ExpertsShape>;
  ffnBias?: boolean;
  rest?: Partial<ModelShape>;
}

/** A decoder of MoE layers with SwiGLU experts, and what is particular about it. */
export function moeModel(
  outline: Outline,
  attention: Heads | LatentAttention,
  [experts, topK, width]: readonly [experts: number, topK: number, ffnHiddenSize: number],
  particulars: Particulars = {},
): ModelShape {
  const [numLayers] = outline;
  const [numDense, denseWidth] = particulars.firstDense ?? [0, 0];
  const bias = particulars.ffnBias ?? false;
  return {
    ...decoder(outline, attention, particulars.attention),
    layers: Array.from({ length: numLayers }, (_, index) => ({
      kind: index < numDense ? ("dense" as const) : ("moe" as const),
    })),
    ...(numDense > 0 ? { dense: { hiddenSize: denseWidth, gated: true, bias } } : {}),
    moe: {
      experts,
      topK,
      ffn: { hiddenSize: width, gated: true, bias },
      sharedFfnHiddenSize: 0,
      sharedGate: false,
      routerBias: false,
      ...particulars.moe,
    },
    ...particulars.rest,
  };
}

/** A decoder of dense layers with SwiGLU. */
export function denseModel(
  outline: Outline,
  attention: Heads,
  ffnHiddenSize: number,
  particulars: Pick<Particulars, "attention" | "rest"> = {},
): ModelShape {
  return {
    ...decoder(outline, attention, particulars.attention),
    layers: Array.from({ length: outline[0] }, () => ({ kind: "dense" as const })),
    dense: { hiddenSize: ffnHiddenSize, gated: true, bias: false },
    ...particulars.rest,
  };
}

/** DeepSeek's attention; the sizes of a head are the same in V2 and V3. */
export function latent(heads: number, qLoraRank: number | undefined): LatentAttention {
  return {
    kind: "mla",
    heads,
    ...(qLoraRank === undefined ? {} : { qLoraRank }),
    kvLoraRank: 512,
    qkNopeHeadDim: 128,
    qkRopeHeadDim: 64,
    vHeadDim: 128,
  };
}

/** MoE layers of which every second, from the first, sees a window only. */
export function alternating(numLayers: number, window: number): LayerShape[] {
  return Array.from({ length: numLayers }, (_, index) =>
    index % 2 === 0 ? { kind: "moe", window } : { kind: "moe" },
  );
}

function decoder(
  [, hiddenSize, vocabSize]: Outline,
  attention: Heads | LatentAttention,
  particulars: Partial<GroupedQueryAttention> = {},
): Omit<ModelShape, "layers"> {
  return {
    hiddenSize,
    vocabSize,
    tiedEmbeddings: false,
    attention: "kind" in attention ? attention : grouped(attention, particulars),
    normsPerLayer: 2,
    layerNormBias: false,
    positions: 0,
    mtpLayers: 0,
  };
}

function grouped(
  [heads, kvHeads, headDim]: Heads,
  particulars: Partial<GroupedQueryAttention>,
): GroupedQueryAttention {
  const none = { qkvBias: false, outBias: false, qkNorm: false, sinks: false };
  return { kind: "gqa", heads, kvHeads, headDim, ...none, ...particulars };
}
