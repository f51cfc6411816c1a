import { z } from "zod";
import { atLeast, positive, share, whole } from "./numbers.ts";

/** How the model is trained: length, batch, optimizer, validation. */
export const trainingSection = z
  .strictObject({
    steps: whole(1, 1_000_000_000).describe("Optimizer steps of the whole run."),
    sequenceLength: whole(2, 1 << 24).describe("Tokens in one sequence."),
    globalBatchSize: whole(1, 1 << 20).describe("Sequences in one optimizer step, over all ranks."),
    microBatchSize: whole(1, 1 << 20)
      .optional()
      .describe("Sequences in one micro-batch of one rank. Default: the planner picks."),
    precision: z
      .enum(["fp32", "bf16", "fp8"])
      .optional()
      .describe(
        "What matrices are multiplied in. Default: fp32 on this machine, bf16 on a cluster.",
      ),
    optimizerSharding: z
      .enum(["none", "zero1", "fsdp"])
      .optional()
      .describe(
        "What is split over data-parallel ranks: nothing, the optimizer's state, or weights and gradients too. Default: none on this machine, zero1 on a cluster.",
      ),
    learningRate: positive().describe("Peak learning rate, reached after the warm-up."),
    minLearningRate: atLeast(0)
      .optional()
      .describe("Learning rate at the end of the cosine decay. Default: learningRate / 10."),
    warmupSteps: whole(0, 1_000_000_000).default(0).describe("Steps of linear warm-up."),
    weightDecay: atLeast(0).default(0.1).describe("AdamW's decoupled weight decay."),
    adamBeta1: share("below one").default(0.9).describe("AdamW's decay of the first moment."),
    adamBeta2: share("below one").default(0.95).describe("AdamW's decay of the second moment."),
    adamEpsilon: positive().default(1e-8).describe("AdamW's epsilon."),
    clipGradNorm: atLeast(0)
      .default(1)
      .describe("Global L2 norm that gradients are clipped to; 0 turns clipping off."),
    seed: whole(0).default(1).describe("Seed of weights, data order and sampling."),
    validationEverySteps: whole(0, 1_000_000_000)
      .default(0)
      .describe("Steps between validations; 0 validates at the end only."),
    validationBatches: whole(1, 1_000_000).default(4).describe("Global batches in one validation."),
    initStd: positive().default(0.02).describe("Standard deviation of the initial weights."),
    timelineEverySteps: whole(0, 1_000_000_000)
      .default(0)
      .describe("Steps between timelines of the pipeline; 0 takes none."),
    sampleBytes: whole(0, 65_536)
      .default(200)
      .describe("Bytes of text sampled from the trained model at the end; 0 samples none."),
    samplePrompt: z
      .string()
      .min(1)
      .max(4096)
      .default("def ")
      .describe("Text the sample goes on from."),
  })
  .describe("How the model is trained: length, batch, optimizer, validation.");
