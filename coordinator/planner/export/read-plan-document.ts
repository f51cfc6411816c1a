import { z } from "zod";
import { MoestroError } from "../../errors.ts";
import { formatPath, type JobPath, joinAlternatives } from "../../spec/problems.ts";
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
      gap: z.number(),
      covers: z.string(),
    }),
  })
  .refine(
    ({ layout: { pipelineParallel, virtualPipeline }, stages }) =>
      stages.length === pipelineParallel * virtualPipeline,
    { error: "stages must number pipelineParallel × virtualPipeline" },
  );

/** What `moestro plan --json` writes; further fields are kept. */
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

const schema = fields
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
  );

function coversOnce(stages: readonly z.infer<typeof stage>[], numLayers: number): boolean {
  const held = stages.flatMap(({ layers }) => (layers === null ? [] : [layers]));
  held.sort(([a], [b]) => a - b);
  const next = (index: number) => (index === 0 ? 0 : 1 + (held[index - 1]?.[1] ?? 0));
  return held.every(([first], index) => first === next(index)) && next(held.length) === numLayers;
}

/**
 * A plan from the text of a file that `moestro plan --json` wrote. Throws
 * `invalid_input` with one line that names the field at fault.
 */
export function readPlanDocument(text: string, path: string): PlanDocument {
  const fail = (what: string) => new MoestroError("invalid_input", `${path}: ${what}; ${REMEDY}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail("is not JSON");
  }
  const kind = kindOf(value);
  if (kind !== "a mapping") throw fail(`Invalid input: a plan is a mapping, not ${kind}`);
  const [issue] = schema.safeParse(value).error?.issues ?? [];
  if (issue !== undefined) {
    const field = issue.path as JobPath;
    throw fail(`${formatPath(field)}: ${explain(issue, valueAt(value, field))}`);
  }
  // Only what an export reads is checked; the rest goes through as it is.
  return value as PlanDocument;
}

const REMEDY = "give a job file (.yaml) or what `moestro plan --json` wrote";

/** What is wrong with one value, and what is expected. */
function explain(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "custom") return issue.message;
  if (issue.code === "unrecognized_keys") return `has ${issue.keys.join(", ")}, which no plan has`;
  if (value === undefined) return "is missing";
  const shown = show(value);
  switch (issue.code) {
    case "too_small":
      return Array.isArray(value)
        ? `has ${value.length} entries, but needs at least ${issue.minimum}`
        : `${shown} must be ${issue.inclusive === false ? "above" : "at least"} ${issue.minimum}`;
    case "too_big":
      return Array.isArray(value)
        ? `has ${value.length} entries, but takes at most ${issue.maximum}`
        : `${shown} must be ${issue.inclusive === false ? "below" : "at most"} ${issue.maximum}`;
    case "invalid_value":
      return `${shown} must be ${joinAlternatives(issue.values.map(String))}`;
    case "invalid_type":
      return `${shown} must be ${EXPECTED[issue.expected] ?? issue.expected}`;
    default:
      return `${shown} is none of the values that it may have`;
  }
}

const EXPECTED: Record<string, string> = {
  int: "a whole number",
  number: "a finite number",
  string: "text",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "a mapping",
};

function valueAt(value: unknown, path: JobPath): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<string | number, unknown>)[key]
        : undefined,
    value,
  );
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (value === null) return "null";
  if (typeof value === "object") return "a mapping";
  return typeof value === "string" ? "text" : `a ${typeof value}`;
}

function show(value: unknown): string {
  if (typeof value === "number" || value === null) return String(value);
  if (typeof value === "object") return kindOf(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
