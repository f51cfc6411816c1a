import { z } from "zod";
import { MoestroError } from "../../errors.ts";
import { RECOMPUTE_KINDS } from "../cost/workload.ts";
import type { PlanDocument } from "../plan-document.ts";
import { modelShapeSchema } from "./model-shape-schema.ts";

const whole = z.int().nonnegative();
const count = z.int().positive();
const amount = z.number().nonnegative();

const layout = z.object({
  tensorParallel: count,
  contextParallel: count,
  pipelineParallel: count,
  dataParallel: count,
  expertParallel: count,
  expertTensorParallel: count,
  scheme: z.enum(["edp", "ep", "etp", "folded"]),
  expertDataParallel: count,
  virtualPipeline: count,
  rankOrder: z.string(),
  microBatchSize: count,
  numMicroBatches: count,
  schedule: z.enum(["gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipev"]),
  optimizerSharding: z.enum(["none", "zero1", "fsdp"]),
});

const stage = z
  .object({
    stage: whole,
    pipelineRank: whole,
    chunk: whole,
    layers: z.tuple([whole, whole]).nullable(),
    hasEmbedding: z.boolean(),
    hasHead: z.boolean(),
    mtpLayers: whole,
    recompute: z.array(z.enum(RECOMPUTE_KINDS)),
    forwardMs: amount,
    backwardMs: amount,
    recomputeMs: amount,
    inFlightMicroBatches: whole,
    memoryBytes: amount,
    staticBytes: amount,
    activationBytes: amount,
  })
  .refine(
    ({ layers, recompute }) => recompute.length === (layers ? layers[1] - layers[0] + 1 : 0),
    { error: "recompute must have one entry for each of the stage's layers" },
  );

const choice = z
  .object({
    layout,
    stages: z.array(stage).min(1),
    predicted: z.object({
      stepTimeMs: amount,
      tokensPerSecondPerGpu: amount,
      mfu: amount,
      mfuConvention: z.string(),
      memoryBytesPerStage: z.array(amount),
      hopMs: amount,
      memoryLimitBytes: amount,
      breakdown: z.object({
        computeMs: z.number(),
        recomputeMs: z.number(),
        communicationMs: z.number(),
        idealBubbleMs: z.number(),
        imbalanceBubbleMs: z.number(),
        recomputeBubbleMs: z.number(),
        communicationBubbleMs: z.number(),
        optimizerMs: z.number(),
      }),
    }),
    certificate: z.object({
      simulatedMs: amount,
      boundMs: amount,
      gap: z.number(),
      covers: z.string(),
    }),
  })
  .refine(
    ({ layout: { pipelineParallel, virtualPipeline }, stages }) =>
      stages.length === pipelineParallel * virtualPipeline,
    { error: "stages must number pipelineParallel · virtualPipeline" },
  );

/** What `moestro plan --json` writes; further fields are kept. */
const schema = z.looseObject({
  job: z.string(),
  model: z.looseObject({
    name: z.string(),
    layers: count,
    hiddenSize: count,
    heads: count,
    kvHeads: count,
    headDim: count,
    vocabSize: count,
    experts: whole,
    topK: whole,
    totalParameters: amount,
    activeParameters: amount,
    shape: modelShapeSchema.optional(),
  }),
  cluster: z.looseObject({
    name: z.string(),
    gpus: count,
    nodes: count,
    gpusPerNode: count,
    origin: z.string(),
  }),
  batch: z.looseObject({
    sequenceLength: count,
    globalBatchSize: count,
    precision: z.string(),
    capacityFactor: z.union([z.number().positive(), z.literal("dropless")]),
    imbalance: z.number().positive(),
  }),
  best: choice,
});

/**
 * A plan from the text of a file that `moestro plan --json` wrote. Throws
 * `invalid_input` with one line that names the field at fault.
 */
export function readPlanDocument(text: string, path: string): PlanDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MoestroError("invalid_input", `${path}: is not JSON; ${REMEDY}`);
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    const field = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.join(".")}: `;
    throw new MoestroError(
      "invalid_input",
      `${path}: ${field}${issue?.message ?? "is not a plan"}; ${REMEDY}`,
    );
  }
  // Only what an export reads is checked; the rest goes through as it is.
  return value as PlanDocument;
}

const REMEDY = "give a job file (.yaml) or what `moestro plan --json` wrote";
