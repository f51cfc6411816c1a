import { isLocal } from "../../spec/planning-defaults.ts";
import { joinAlternatives, type Problem } from "../../spec/problems.ts";
import type { Job } from "../../spec/schema.ts";
import { fixedSizesOf } from "./fixed-sizes.ts";

/** What a job fixes of schedule and pipeline that cannot be had together. */
export function scheduleConflicts(job: Job): Problem[] {
  const { layout, model, training } = job;
  if (layout === "auto") return [];
  const { schedule, virtualPipeline: chunks, dataParallel = 1 } = layout;
  const pipeline = fixedSizesOf(job).pipelineParallel;
  const { globalBatchSize, microBatchSize = 1 } = training;
  const isOnly = (...names: string[]) => schedule.every((name) => names.includes(name));
  const problem = (name: string, message: string): Problem[] => [
    { path: ["layout", name], message },
  ];
  const inChunks = isOnly("interleaved", "dualpipev");
  if (pipeline === 1 && chunks !== undefined && chunks > 1) {
    return problem(
      "virtualPipeline",
      `${chunks} cuts every stage into ${chunks} chunks, but pipelineParallel 1 has no pipeline to interleave; use 1, or pipelineParallel above 1`,
    );
  }
  if (pipeline === 1 && inChunks) {
    return problem(
      "schedule",
      `${joinAlternatives(schedule)} needs a pipeline, but pipelineParallel is 1; use 1f1b, or pipelineParallel above 1`,
    );
  }
  if (chunks === 1 && inChunks) {
    return problem(
      "virtualPipeline",
      `1 leaves stages whole, but schedule ${joinAlternatives(schedule)} needs at least 2 chunks a stage; use 2 or more, or schedule 1f1b`,
    );
  }
  if (chunks !== undefined && chunks > 1 && !schedule.includes("interleaved")) {
    const isDual = schedule.includes("dualpipev");
    if (!isDual || chunks > 2) {
      const holds = isDual ? "has 2 chunks a stage" : "has one chunk a stage";
      return problem(
        "virtualPipeline",
        `${chunks} is for schedule interleaved, but ${joinAlternatives(schedule)} ${holds}; use ${isDual ? 2 : 1}, or allow interleaved`,
      );
    }
  }
  const least = chunks ?? (inChunks ? 2 : 1);
  // The head may be a chunk of its own, but not in our engine.
  const mostStages = model.layers + (isLocal(job.cluster) ? 0 : 1);
  if (least > 1 && pipeline !== undefined && pipeline * least > mostStages) {
    const most = Math.floor(model.layers / pipeline);
    return problem(
      chunks === undefined ? "schedule" : "virtualPipeline",
      `pipelineParallel ${pipeline} × ${least} chunks = ${pipeline * least} is more than ${model.layers} layers, and every chunk needs one; use ${most > 1 ? `at most ${most} chunks` : "schedule 1f1b"} or a shorter pipeline`,
    );
  }
  const microBatches = globalBatchSize / (dataParallel * microBatchSize);
  const needed = (pipeline ?? 1) * (isOnly("dualpipev") ? 2 : 1);
  if (inChunks && microBatches < needed) {
    return problem(
      "schedule",
      `${joinAlternatives(schedule)} needs ${needed} micro-batches for pipelineParallel ${pipeline}, but a batch of ${globalBatchSize} / dataParallel ${dataParallel} / microBatchSize ${microBatchSize} makes ${Math.floor(microBatches)}; use 1f1b, a larger batch or smaller ones of these`,
    );
  }
  return [];
}
