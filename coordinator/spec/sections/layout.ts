import { z } from "zod";
import { whole } from "./numbers.ts";

const MAX_RANKS = 1_000_000;

export const SCHEDULE_NAMES = ["gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipev"] as const;

export const SCHEME_NAMES = ["edp", "ep", "etp", "folded"] as const;

const schedule = z.enum(SCHEDULE_NAMES);
const recompute = z.enum(["none", "selective", "full", "auto"]);

const size = () => whole(1, MAX_RANKS).optional();

/** Any part of the layout may be fixed by hand; the planner chooses the rest. */
const fixedLayout = z.strictObject({
  tensorParallel: size().describe(
    "Ranks that share every attention layer, with sequence parallelism.",
  ),
  pipelineParallel: size().describe("Pipeline stages."),
  dataParallel: size().describe("Replicas of the attention layers."),
  expertParallel: size().describe("Ranks that the experts of a layer are spread over."),
  expertTensorParallel: size().describe("Ranks that share one expert."),
  contextParallel: size().describe("Ranks that share a sequence outside tensor parallelism."),
  scheme: z
    .enum(SCHEME_NAMES)
    .optional()
    .describe(
      "How the experts' mesh lies on the attention's: edp (expert parallel = tensor parallel), ep, etp or folded.",
    ),
  stages: z
    .array(whole(0, 512))
    .min(1)
    .max(512)
    .optional()
    .describe(
      "Layers of each stage, first to last, as many as pipelineParallel times the chunks of a rank. On a cluster the last may be 0, a stage of the head alone.",
    ),
  recompute: z
    .union([recompute, z.array(recompute).min(1).max(512)])
    .optional()
    .describe(
      "Recompute activations in backward, for all layers or one entry a layer; auto leaves it to the planner, which recomputes what memory forces it to. Default: none on this machine without cluster.memoryLimit, auto otherwise.",
    ),
  virtualPipeline: whole(1, 64)
    .optional()
    .describe(
      "Model chunks of one pipeline rank, for interleaving. Default: the planner picks, 2 on this machine.",
    ),
  schedule: z
    .union([schedule, z.array(schedule).min(1).max(SCHEDULE_NAMES.length)])
    .optional()
    .describe(
      "Order of micro-batches in the pipeline, or a list of those allowed. Default: 1f1b on this machine, interleaved there with virtualPipeline above 1, any on a cluster.",
    ),
});

export const layoutSection = z
  .union([z.literal("auto"), fixedLayout])
  .default("auto")
  .describe("How the model lies over the ranks: auto, or any part fixed by hand.");
