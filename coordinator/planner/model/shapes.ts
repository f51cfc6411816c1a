import { alternating, denseModel, latent, moeModel } from "./make-shape.ts";
import type { ModelShape } from "./model-shape.ts";

/**
 * Published models, by name, from their published config.json or report. The
 * fine-grained Mixtral is the Parallel Folding paper's (arXiv 2504.14960).
 */
export const MODEL_SHAPES = {
  "skywork-moe-146b": moeModel([52, 4608, 65_536], [36, 36, 128], [16, 2, 12_288]),
  "mixtral-8x7b": moeModel([32, 4096, 32_000], [32, 8, 128], [8, 2, 14_336]),
  "mixtral-8x22b": moeModel([56, 6144, 32_768], [48, 8, 128], [8, 2, 16_384]),
  "mixtral-8x22b-g8t8": moeModel([56, 6144, 32_768], [48, 8, 128], [64, 8, 2048]),
  "qwen2-57b-a14b": moeModel([28, 3584, 151_936], [28, 4, 128], [64, 8, 2560], {
    attention: { qkvBias: true },
    moe: { sharedFfnHiddenSize: 20_480, sharedGate: true },
  }),
  "qwen3-30b-a3b": moeModel([48, 2048, 151_936], [32, 4, 128], [128, 8, 768], {
    attention: { qkNorm: true },
  }),
  "qwen3-235b-a22b": moeModel([94, 4096, 151_936], [64, 4, 128], [128, 8, 1536], {
    attention: { qkNorm: true },
  }),
  "deepseek-moe-16b": moeModel([28, 2048, 102_400], [16, 16, 128], [64, 6, 1408], {
    firstDense: [1, 10_944],
    moe: { sharedFfnHiddenSize: 2 * 1408 },
  }),
  "deepseek-v2-lite": moeModel([27, 2048, 102_400], latent(16, undefined), [64, 6, 1408], {
    firstDense: [1, 10_944],
    moe: { sharedFfnHiddenSize: 2 * 1408 },
  }),
  "deepseek-v2": moeModel([60, 5120, 102_400], latent(128, 1536), [160, 6, 1536], {
    firstDense: [1, 12_288],
    moe: { sharedFfnHiddenSize: 2 * 1536 },
  }),
  "deepseek-v3": moeModel([61, 7168, 129_280], latent(128, 1536), [256, 8, 2048], {
    firstDense: [3, 18_432],
    moe: { sharedFfnHiddenSize: 2048, routerBias: true },
    rest: { mtpLayers: 1 },
  }),
  "grok-1": moeModel([64, 6144, 131_072], [48, 8, 128], [8, 2, 32_768], {
    rest: { normsPerLayer: 4, tiedEmbeddings: true },
  }),
  dbrx: moeModel([40, 6144, 100_352], [48, 8, 128], [16, 4, 10_752]),
  "gpt-oss-20b": moeModel([24, 2880, 201_088], [64, 8, 64], [32, 4, 2880], gptOss(24)),
  "gpt-oss-120b": moeModel([36, 2880, 201_088], [64, 8, 64], [128, 4, 2880], gptOss(36)),
  "skywork-13b": denseModel([52, 4608, 65_519], [36, 36, 128], 12_288),
  "llama2-7b": denseModel([32, 4096, 32_000], [32, 32, 128], 11_008),
  "llama2-13b": denseModel([40, 5120, 32_000], [40, 40, 128], 13_824),
  "llama2-70b": denseModel([80, 8192, 32_000], [64, 8, 128], 28_672),
  "llama3-8b": denseModel([32, 4096, 128_256], [32, 8, 128], 14_336),
  "llama3-70b": denseModel([80, 8192, 128_256], [64, 8, 128], 28_672),
  "llama3-405b": denseModel([126, 16_384, 128_256], [128, 8, 128], 53_248),
  "mistral-7b": denseModel([32, 4096, 32_000], [32, 8, 128], 14_336),
  "qwen3-8b": denseModel([36, 4096, 151_936], [32, 8, 128], 12_288, {
    attention: { qkNorm: true },
  }),
  "qwen3-14b": denseModel([40, 5120, 151_936], [40, 8, 128], 17_408, {
    attention: { qkNorm: true },
  }),
  "qwen3-32b": denseModel([64, 5120, 151_936], [64, 8, 128], 25_600, {
    attention: { qkNorm: true },
  }),
} satisfies Record<string, ModelShape>;

export type ModelName = keyof typeof MODEL_SHAPES;

export const MODEL_NAMES = Object.keys(MODEL_SHAPES) as ModelName[];

/** Every second layer, from the first, sees 128 tokens only (arXiv 2508.10925, section 2). */
function gptOss(layers: number) {
  return {
    attention: { qkvBias: true, outBias: true, sinks: true },
    moe: { routerBias: true },
    ffnBias: true,
    rest: { layers: alternating(layers, 128) },
  };
}
