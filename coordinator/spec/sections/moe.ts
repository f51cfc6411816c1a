import { z } from "zod";
import { atLeast, positive, share, whole } from "./numbers.ts";

/** Experts, gate and balancing of every layer. */
export const moeSection = z
  .strictObject({
    experts: whole(0, 1024)
      .optional()
      .describe(
        "Experts in each MoE layer; 0 for a dense model. Required unless the model's preset or config says.",
      ),
    topK: whole(0, 1024)
      .optional()
      .describe("Experts each token goes to. Required unless the model's preset or config says."),
    capacityFactor: z
      .union([positive(), z.literal("dropless")])
      .default(1.25)
      .describe(
        "Room per expert: ceil(capacityFactor * tokens * topK / experts) assignments, the rest is dropped; dropless drops none.",
      ),
    imbalance: atLeast(1)
      .max(1024)
      .default(1)
      .describe(
        "Tokens of the busiest expert-parallel rank over the mean, for predictions; 1 when balance is forced.",
      ),
    gateNormalization: z
      .union([atLeast(0), z.literal(false)])
      .default(1)
      .describe("The lambda of gating logit normalisation; false or 0 turns it off."),
    gateFunction: z
      .enum(["softmax", "sigmoid"])
      .default("softmax")
      .describe(
        "Makes the router's logits probabilities: a softmax over the experts, or each one's sigmoid (DeepSeek-V3).",
      ),
    renormalize: z
      .boolean()
      .default(true)
      .describe("Weights of a token's experts are divided by their sum; false takes them as is."),
    dropPolicy: z
      .enum(["probs", "position"])
      .default("probs")
      .describe(
        "What an expert over capacity drops: the least probable assignments, or those of the last tokens.",
      ),
    padding: z
      .boolean()
      .default(true)
      .describe(
        "With a capacity: all its places are sent, so that every exchange has one size; false sends those taken.",
      ),
    auxLoss: z
      .enum(["skywork", "switch"])
      .default("skywork")
      .describe("Form of the balancing loss: Skywork-MoE's or Switch Transformer's."),
    balancing: z
      .enum(["adaptive", "fixed", "bias", "none"])
      .default("adaptive")
      .describe(
        "How load is balanced, per layer: by the loss, its coefficient adapted to the drop rate or fixed at controller.initialCoefficient; by biases of the choice (DeepSeek-V3); or not.",
      ),
    zLoss: atLeast(0)
      .default(0)
      .describe("Coefficient of the router z-loss, the mean of logsumexp(logits)²; 0 for none."),
  })
  .describe("Experts, gate and balancing of every layer.");

/**
 * The control law of the auxiliary-loss coefficients (Skywork-MoE report,
 * arXiv 2406.06563, section 3.2) or of the biases (DeepSeek-V3 report, arXiv
 * 2412.19437, section 2.1.2).
 */
export const controllerSection = z
  .strictObject({
    strict: z
      .boolean()
      .default(false)
      .describe("Ranks wait for late coefficients, so that two runs are bit-identical."),
    gain: atLeast(0).default(0.2).describe("The xi of min(xi * dropRate, maxCoefficient)."),
    maxCoefficient: atLeast(0).default(0.01).describe("Largest target of the coefficient."),
    smoothing: share("below one").default(0.99).describe("The beta of the moving average."),
    initialCoefficient: atLeast(0)
      .optional()
      .describe(
        "Coefficient at the first step; with balancing fixed or bias, at every step. Default: 0.01, with bias 0.",
      ),
    biasUpdateSpeed: atLeast(0)
      .default(0.001)
      .describe("With balancing bias: what a step adds to an expert's bias, or takes from it."),
    effectiveAfterSteps: whole(2, 1000)
      .default(2)
      .describe("A coefficient computed from step s applies from step s + this number."),
  })
  .describe("The control law of the auxiliary-loss coefficients, or of the biases.");
