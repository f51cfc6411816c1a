import type { Problem } from "./problems.ts";
import type { Job } from "./schema.ts";

/** Rules of the fields that make a model other than the plain one. */
export function modelKindRules({ model, moe }: Job): Problem[] {
  const problems: Problem[] = [];
  const report = (key: keyof Job["model"], message: string) =>
    problems.push({ path: ["model", key], message });
  const { layers, denseLayers = 0, latentAttention, slidingWindow, fullAttentionEvery } = model;
  const outside =
    typeof denseLayers === "number"
      ? denseLayers > layers && denseLayers
      : denseLayers.find((index) => index >= layers);
  if (outside !== false && outside !== undefined) {
    report("denseLayers", `${outside} is beyond the model's ${layers} layers; use smaller numbers`);
  } else if (moe.experts > 0 && numDense(denseLayers) === layers) {
    report("denseLayers", `leaves none of ${layers} layers to the experts; use moe.experts 0`);
  }
  if (model.sharedExpertGate === true && (model.sharedFfnHiddenSize ?? 0) === 0) {
    report("sharedExpertGate", "needs shared experts; add sharedFfnHiddenSize, or remove it");
  }
  if (latentAttention !== undefined && latentAttention.qkRopeHeadDim % 2 !== 0) {
    report(
      "latentAttention",
      "qkRopeHeadDim is odd, but RoPE turns pairs of numbers; make it even",
    );
  }
  if (fullAttentionEvery !== undefined && slidingWindow === undefined) {
    report("fullAttentionEvery", "needs slidingWindow; add it, or remove fullAttentionEvery");
  }
  return problems;
}

function numDense(denseLayers: number | number[]): number {
  return typeof denseLayers === "number" ? denseLayers : new Set(denseLayers).size;
}
