/** Queries share key-value heads; as many of these as of those is MHA. */
export interface GroupedQueryAttention {
  kind: "gqa";
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Biases on the query, key and value projections. */
  qkvBias: boolean;
  /** Bias on the output projection. */
  outBias: boolean;
  /** RMSNorm over each query and key head. */
  qkNorm: boolean;
  /** A learned logit per head in the softmax (GPT-OSS). */
  sinks: boolean;
}

/** DeepSeek's multi-head latent attention (arXiv 2405.04434, section 2.1). */
export interface LatentAttention {
  kind: "mla";
  heads: number;
  /** Rank of the compressed query; absent when queries are projected directly. */
  qLoraRank?: number | undefined;
  kvLoraRank: number;
  qkNopeHeadDim: number;
  qkRopeHeadDim: number;
  vHeadDim: number;
}

/** A decoder layer: a dense FFN or experts, and how far its attention sees. */
export interface LayerShape {
  kind: "dense" | "moe";
  /** Tokens a query sees under sliding-window attention; absent for all. */
  window?: number | undefined;
}

export interface FfnShape {
  hiddenSize: number;
  /** SwiGLU's three matrices; false for two. */
  gated: boolean;
  bias: boolean;
}

export interface ExpertsShape {
  experts: number;
  topK: number;
  ffn: FfnShape;
  /** Width of all shared experts of a layer together; 0 for none. */
  sharedFfnHiddenSize: number;
  /** The shared expert's output is gated by a projection to one number (Qwen2-MoE). */
  sharedGate: boolean;
  /** The router has a bias, or a correction bias, per expert. */
  routerBias: boolean;
}

/** Sizes of a decoder-only model, all the planner needs of it. */
export interface ModelShape {
  hiddenSize: number;
  vocabSize: number;
  tiedEmbeddings: boolean;
  attention: GroupedQueryAttention | LatentAttention;
  /** First to last. */
  layers: readonly LayerShape[];
  /** FFN of the dense layers; absent when there are none. */
  dense?: FfnShape | undefined;
  /** Experts of the MoE layers; absent for a dense model. */
  moe?: ExpertsShape | undefined;
  /** Norms of a layer over the hidden size: 2, or 4 (Grok-1's sandwich). */
  normsPerLayer: number;
  /** Biases in norms (LayerNorm) and a learned position table of this many rows. */
  layerNormBias: boolean;
  positions: number;
  /** Multi-token-prediction layers behind the last (DeepSeek-V3). */
  mtpLayers: number;
}
