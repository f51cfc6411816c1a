import type { FfnShape, ModelShape } from "../model/model-shape.ts";

/** A model's sizes in Megatron-Core's options. */
export interface MegatronModel {
  flags: string[];
  /** Options outside the checked list of flags, without their dashes, and what has none at all. */
  notes: string[];
}

/**
 * Flags for every size of a model that a plan depends on. Attention sinks,
 * windows, norms and biases do not move layers between stages; they are named in
 * the notes for whoever writes the training script.
 */
export function megatronModel(shape: ModelShape, sequenceLength: number): MegatronModel {
  return {
    flags: [
      `--num-layers ${shape.layers.length}`,
      `--hidden-size ${shape.hiddenSize}`,
      `--num-attention-heads ${shape.attention.heads}`,
      ...attentionFlags(shape),
      ...ffnFlags(shape),
      ...expertFlags(shape),
      ...(shape.mtpLayers > 0 ? [`--mtp-num-layers ${shape.mtpLayers}`] : []),
      `--vocab-size ${shape.vocabSize}`,
      ...(shape.tiedEmbeddings ? [] : ["--untie-embeddings-and-output-weights"]),
    ],
    notes: notes(shape, sequenceLength),
  };
}

function attentionFlags({ attention }: ModelShape): string[] {
  if (attention.kind === "mla") {
    return [
      "--multi-latent-attention",
      ...(attention.qLoraRank === undefined ? [] : [`--q-lora-rank ${attention.qLoraRank}`]),
      `--kv-lora-rank ${attention.kvLoraRank}`,
      `--qk-head-dim ${attention.qkNopeHeadDim}`,
      `--qk-pos-emb-head-dim ${attention.qkRopeHeadDim}`,
      `--v-head-dim ${attention.vHeadDim}`,
      // DeepSeek normalises the latents (arXiv 2405.04434, section 2.1).
      "--qk-layernorm",
    ];
  }
  return [
    ...(attention.kvHeads === attention.heads
      ? []
      : ["--group-query-attention", `--num-query-groups ${attention.kvHeads}`]),
    ...(attention.qkNorm ? ["--qk-layernorm"] : []),
  ];
}

function ffns(shape: ModelShape): FfnShape[] {
  return [shape.dense, shape.moe?.ffn].filter((ffn) => ffn !== undefined);
}

function ffnFlags(shape: ModelShape): string[] {
  const all = ffns(shape);
  const width = all[0]?.hiddenSize;
  return [
    ...(width === undefined ? [] : [`--ffn-hidden-size ${width}`]),
    ...(all.some((ffn) => ffn.gated) ? ["--swiglu"] : []),
  ];
}

function expertFlags({ moe, layers }: ModelShape): string[] {
  if (moe === undefined) return [];
  const frequency = layerFrequency(layers.map((layer) => (layer.kind === "moe" ? 1 : 0)));
  return [
    `--num-experts ${moe.experts}`,
    `--moe-router-topk ${moe.topK}`,
    `--moe-ffn-hidden-size ${moe.ffn.hiddenSize}`,
    ...(frequency === undefined ? [] : [`--moe-layer-freq "${frequency}"`]),
    ...(moe.sharedFfnHiddenSize > 0
      ? [`--moe-shared-expert-intermediate-size ${moe.sharedFfnHiddenSize}`]
      : []),
    ...(moe.sharedGate ? ["--moe-shared-expert-gate"] : []),
    "--moe-grouped-gemm",
    "--moe-token-dispatcher-type alltoall",
  ];
}

/** `([0]*3+[1]*58)`, Megatron's expression for which layers hold experts; undefined when all do. */
export function layerFrequency(layers: readonly (0 | 1)[]): string | undefined {
  if (layers.every((layer) => layer === 1)) return undefined;
  const runs: { value: 0 | 1; length: number }[] = [];
  for (const value of layers) {
    const last = runs.at(-1);
    if (last?.value === value) last.length += 1;
    else runs.push({ value, length: 1 });
  }
  return `(${runs.map(({ value, length }) => `[${value}]*${length}`).join("+")})`;
}

function notes(shape: ModelShape, sequenceLength: number): string[] {
  const { attention } = shape;
  const found = [
    `normalization ${shape.layerNormBias ? "LayerNorm" : "RMSNorm"}`,
    `position-embedding-type ${shape.positions > 0 ? "learned_absolute" : "rope"}`,
    `max-position-embeddings ${Math.max(shape.positions, sequenceLength)}`,
  ];
  const biased = ffns(shape).some((ffn) => ffn.bias);
  if (attention.kind === "gqa") {
    found.push(`kv-channels ${attention.headDim}`);
    if (attention.qkvBias) found.push("add-qkv-bias");
    if (!attention.outBias && !biased) found.push("disable-bias-linear");
    if (attention.sinks) found.push("softmax-type learnable");
  } else if (!biased) found.push("disable-bias-linear");
  const windows = new Set(shape.layers.flatMap(({ window }) => window ?? []));
  if (windows.size > 0) found.push(`sliding windows of ${[...windows].join(" and ")} tokens`);
  const all = [`of the model, to be set as well: ${found.join(", ")}`];
  if (shape.normsPerLayer !== 2) {
    all.push(`the model has ${shape.normsPerLayer} norms a layer; Megatron-Core's layer has 2`);
  }
  return all;
}
