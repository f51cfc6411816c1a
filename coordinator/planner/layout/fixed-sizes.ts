import type { Job } from "../../spec/schema.ts";
import type { FixedSizes } from "./sizes.ts";

/** What a job fixes of its layout; stages fix the pipeline's size too. */
export function fixedSizesOf(job: Job): FixedSizes {
  if (job.layout === "auto") return {};
  const { stages, recompute: _, schedule: __, ...sizes } = job.layout;
  const isEdp = sizes.scheme === "edp";
  const chunks = chunksOf(job);
  // Each pipeline rank has as many entries as chunks.
  const pipeline =
    stages === undefined || chunks === undefined ? undefined : stages.length / chunks;
  return {
    ...sizes,
    pipelineParallel: sizes.pipelineParallel ?? (Number.isInteger(pipeline) ? pipeline : undefined),
    // Under edp one of the two fixes the other.
    tensorParallel: sizes.tensorParallel ?? (isEdp ? sizes.expertParallel : undefined),
  };
}

/**
 * Chunks of a pipeline rank: as given, or as the schedules that are allowed have
 * them; undefined for interleaving alone, which may have any number above 1.
 */
export function chunksOf({ layout }: Pick<Job, "layout">): number | undefined {
  if (layout === "auto") return 1;
  const { virtualPipeline, schedule } = layout;
  if (virtualPipeline !== undefined) return virtualPipeline;
  if (schedule.every((name) => name === "dualpipev")) return 2;
  return schedule.every((name) => name === "interleaved") ? undefined : 1;
}
