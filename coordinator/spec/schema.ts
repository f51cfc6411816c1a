import { z } from "zod";
import { layoutSection } from "./sections/layout.ts";
import { modelSection } from "./sections/model.ts";
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
export interface Model {
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
}

/**
 * A job with nothing left to look up: presets and config files merged, derived
 * defaults computed, paths absolute, every rule checked. Plain JSON data.
 */
export type Job = Omit<JobDocument, "model" | "moe" | "training"> & {
  model: Model;
  moe: JobDocument["moe"] & { experts: number; topK: number };
  training: JobDocument["training"] & { minLearningRate: number };
};
