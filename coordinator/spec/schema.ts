import { z } from "zod";
import type { OptimizerSharding } from "../planner/cost/workload.ts";
import type { Precision } from "../planner/hardware/cluster.ts";
import { layoutSection, type SCHEDULE_NAMES } from "./sections/layout.ts";
import { modelSection } from "./sections/model.ts";
import type { modelKindFields } from "./sections/model-kinds.ts";
import { controllerSection, moeSection } from "./sections/moe.ts";
import { checkpointSection, clusterSection, dataSection } from "./sections/surroundings.ts";
import { trainingSection } from "./sections/training.ts";

/** The job file as a person writes it, in camelCase YAML. */
export const jobDocumentSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$/)
    .describe(
      "Name of the run: lower-case letters, digits and inner hyphens, at most 50 characters.",
    ),
  model: modelSection,
  data: dataSection,
  training: trainingSection,
  moe: moeSection.prefault({}),
  controller: controllerSection.prefault({}),
  layout: layoutSection,
  cluster: clusterSection.prefault({}),
  checkpoint: checkpointSection.prefault({}),
});

/** A parsed job file, with schema defaults but not yet resolved. */
export type JobDocument = z.infer<typeof jobDocumentSchema>;

/** Every size of the model. */
export interface Model extends ModelKind {
  layers: number;
  hiddenSize: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  ffnHiddenSize: number;
  vocabSize: number;
  ropeTheta: number;
  rmsNormEps: number;
  tiedEmbeddings: boolean;
  /** Folder of the checkpoint that training starts from; random weights without. */
  weights?: string;
}

/** How a model differs from MoE in every layer with grouped-query attention. */
export type ModelKind = Pick<JobDocument["model"], keyof typeof modelKindFields>;

export type Recompute = "none" | "selective" | "full" | "auto";

/** What is fixed of a layout, with what follows from the cluster filled in. */
export type FixedLayout = Omit<Exclude<JobDocument["layout"], "auto">, "recompute" | "schedule"> & {
  recompute: Recompute | Recompute[];
  /** The schedules that are allowed. */
  schedule: ScheduleName[];
};

export type ScheduleName = (typeof SCHEDULE_NAMES)[number];

/**
 * A job with nothing left to look up: presets and config files merged, derived
 * defaults computed, paths absolute, every rule checked. Plain JSON data.
 */
export type Job = Omit<JobDocument, "model" | "moe" | "training" | "layout" | "cluster"> & {
  model: Model;
  /** No experts make a dense model. */
  moe: JobDocument["moe"] & { experts: number; topK: number };
  training: JobDocument["training"] & {
    minLearningRate: number;
    precision: Precision;
    optimizerSharding: OptimizerSharding;
  };
  layout: "auto" | FixedLayout;
  /** `ranks` is nodes · gpusPerNode where those are given; paths are absolute. */
  cluster: JobDocument["cluster"] & { ranks: number };
};
