import type { Workload } from "../../planner/cost/workload.ts";
import { type FixedSetting, fixedSettings } from "../../planner/fixed-settings.ts";
import { checkLayout, fixedSizesOf } from "../../planner/layout/check-layout.ts";
import type { PlanProblem } from "../../planner/problem-of-job.ts";
import type { Constraints } from "../../planner/search/constraints.ts";
import { modelParts } from "../../planner/search/model-parts.ts";
import { Space } from "../../planner/search/space.ts";
import { whyNotExpressible } from "../../planner/search/targets.ts";
import { wantedRecompute } from "../../spec/planning-defaults.ts";
import { type JobPath, joinAlternatives, type Problem } from "../../spec/problems.ts";
import type { FixedLayout, Job } from "../../spec/schema.ts";

/**
 * Which of the sizes that are fixed break a rule, or which two of them conflict.
 * Empty when the sizes alone are legal, so that something else is at fault.
 */
export function whyNoLayout(job: Job, constraints: Constraints): Problem[] {
  return checkLayout(asFixed(job, constraints), constraints.ranks);
}

/** The job as if it had fixed itself the sizes that an option fixes. */
export function asFixed(job: Job, constraints: Constraints): Job {
  const { fixed, microBatchSize, virtualPipeline, schedules } = constraints;
  const open: FixedLayout =
    job.layout === "auto"
      ? { recompute: wantedRecompute(job), schedule: [...schedules] }
      : job.layout;
  const layout = { ...open, ...fixed, virtualPipeline, schedule: [...schedules] };
  return { ...job, layout, training: { ...job.training, microBatchSize } };
}

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
  // The head may be a chunk of its own.
  if (least > 1 && pipeline !== undefined && pipeline * least > model.layers + 1) {
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

/** Something that is fixed, and the constraints without it. */
export interface FixedThing extends Omit<FixedSetting, "path"> {
  /** Where the job fixes it; undefined for an option. */
  path: JobPath | undefined;
  /** The rule, where it is one that the target has. */
  why?: string | undefined;
}

/**
 * Things that are fixed and exclude each other: with any one of them free there
 * is a layout. Empty when no single one is at fault.
 */
export function exclusive({ workload, constraints }: PlanProblem): FixedThing[] {
  return fixedThings(workload, constraints).filter(({ without }) =>
    layouts({ workload, constraints: { ...constraints, ...without } }).some(
      (layout) =>
        whyNotExpressible(without.target ?? constraints.target, layout, workload) === undefined,
    ),
  );
}

function fixedThings(workload: Workload, constraints: Constraints): FixedThing[] {
  const { target } = constraints;
  const things: FixedThing[] = fixedSettings(constraints);
  if (target !== "any") {
    const [first] = layouts({ workload, constraints });
    const why = first === undefined ? undefined : whyNotExpressible(target, first, workload);
    things.push({
      path: undefined,
      value: `what ${target} can be told`,
      without: { target: "any" },
      why,
    });
  }
  return things;
}

/** Every layout that is legal, whether or not the target can be told it. */
function* layouts({ workload, constraints }: PlanProblem) {
  const { parts } = modelParts(workload.model, constraints.target === "moestro");
  const space = new Space(workload, constraints, parts.length);
  for (const attention of space.attentionKeys()) {
    for (const key of space.layerKeys(attention)) {
      for (const sizes of space.arrangements(key)) yield { ...key, ...sizes };
    }
  }
}
