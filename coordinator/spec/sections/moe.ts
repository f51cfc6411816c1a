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
    auxLoss: z
      .enum(["skywork", "switch"])
      .default("skywork")
      .describe("Form of the balancing loss: Skywork-MoE's or Switch Transformer's."),
    balancing: z
      .enum(["adaptive", "fixed", "none"])
      .default("adaptive")
      .describe(
        "The loss's coefficient per layer: adapted to the drop rate, fixed at controller.initialCoefficient, or no loss.",
      ),
  })
  .describe("Experts, gate and balancing of every layer.");

/**
 * The control law of the auxiliary-loss coefficients (Skywork-MoE report,
 * arXiv 2406.06563, section 3.2).
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
      .default(0.01)
      .describe("Coefficient at the first step; with balancing fixed, at every step."),
    effectiveAfterSteps: whole(2, 1000)
      .default(2)
      .describe("A coefficient computed from step s applies from step s + this number."),
  })
  .describe("The control law of the auxiliary-loss coefficients.");
