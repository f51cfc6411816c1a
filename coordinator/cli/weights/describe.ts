import type { WeightsModel } from "../../spec/hugging-face-weights.ts";

/** What a person reads when weights are ready to be trained on. */
export function describeWeights(
  source: string,
  out: string,
  { model, moe }: Pick<WeightsModel, "model" | "moe">,
  { bytes, files }: { bytes: number; files: number },
): string {
  const size = bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
  const experts = `${moe.experts} experts top-${moe.topK}`;
  return [
    `${source}: ${model.layers} layers of ${experts}, hidden size ${model.hiddenSize}, vocabulary ${model.vocabSize}`,
    `written to ${out} (${size} in ${files} ${files === 1 ? "file" : "files"}); a job starts from it with: model: {weights: ${out}}`,
  ].join("\n");
}
