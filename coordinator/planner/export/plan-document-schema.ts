import { z } from "zod";
import { SCHEDULE_NAMES, SCHEME_NAMES } from "../../spec/sections/layout.ts";
import { RECOMPUTE_KINDS } from "../cost/workload.ts";
import { layoutFaults, placeFaults } from "./layout-faults.ts";
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
  scheme: z.enum(SCHEME_NAMES),
  expertDataParallel: count,
  virtualPipeline: count,
  rankOrder: z.string(),
  microBatchSize: count,
  numMicroBatches: count,
  schedule: z.enum(SCHEDULE_NAMES),
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
    weightGradMs: amount,
    recomputeMs: amount,
    forwardCommunicationMs: amount,
    backwardCommunicationMs: amount,
    inFlightMicroBatches: whole,
    memoryBytes: amount,
    staticBytes: amount,
    activationBytes: amount,
    workspaceBytes: amount,
  })
  .refine(
    ({ layers, recompute }) => recompute.length === (layers ? layers[1] - layers[0] + 1 : 0),
    {
      path: ["recompute"],
      error: "must have one entry for each of the stage's layers",
    },
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
      // Rounding may leave the bound just above the simulated time.
      gap: z.number().min(-1e-9).lt(1),
      covers: z.string(),
    }),
  })
  .refine(
    ({ layout: { pipelineParallel, virtualPipeline }, stages }) =>
      stages.length === pipelineParallel * virtualPipeline,
    { error: "stages must number pipelineParallel × virtualPipeline" },
  )
  .refine(
    ({ layout, predicted }) => predicted.memoryBytesPerStage.length === layout.pipelineParallel,
    {
      path: ["predicted", "memoryBytesPerStage"],
      error: "must have one entry for each of pipelineParallel ranks",
    },
  )
  .superRefine(({ layout, stages }, context) => {
    for (const { path, message } of [...layoutFaults(layout), ...placeFaults(layout, stages)]) {
      context.addIssue({ code: "custom", path, message });
    }
  });

const fields = z.looseObject({
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

/** What `moestro plan --json` writes, as far as an export reads it; further fields are kept. */
export const planDocumentSchema = fields
  .refine(({ best, model }) => coversOnce(best.stages, model.layers), {
    path: ["best", "stages"],
    error: "must hold each of model.layers once, from 0 on",
  })
  .refine(
    ({ best: { layout }, cluster }) =>
      cluster.gpus ===
      layout.tensorParallel *
        layout.contextParallel *
        layout.pipelineParallel *
        layout.dataParallel,
    {
      path: ["best", "layout"],
      error:
        "must have tensorParallel × contextParallel × pipelineParallel × dataParallel = cluster.gpus",
    },
  )
  .refine(
    ({ best: { layout }, batch }) =>
      batch.globalBatchSize ===
      layout.microBatchSize * layout.numMicroBatches * layout.dataParallel,
    {
      path: ["best", "layout"],
      error: "must have microBatchSize × numMicroBatches × dataParallel = batch.globalBatchSize",
    },
  );

function coversOnce(stages: readonly z.infer<typeof stage>[], numLayers: number): boolean {
  const held = stages.flatMap(({ layers }) => (layers === null ? [] : [layers]));
  held.sort(([a], [b]) => a - b);
  const next = (index: number) => (index === 0 ? 0 : 1 + (held[index - 1]?.[1] ?? 0));
  return held.every(([first], index) => first === next(index)) && next(held.length) === numLayers;
}
