import { allowedSchedules, wantedRecompute } from "../../spec/planning-defaults.ts";
import { joinAlternatives, type Problem } from "../../spec/problems.ts";
import type { Job } from "../../spec/schema.ts";
import type { RecomputeKind } from "../cost/workload.ts";
import type { ScheduleName } from "../plan-document.ts";
import { type ArrangementLimits, arrangementsOf, leastMicroBatches } from "./arrangements.ts";
import { whyNotRunnable } from "./engine-capabilities.ts";
import { type CandidateLayout, divisors } from "./sizes.ts";

/** A layout under one schedule, as the engine can run it. */
export interface Arrangement {
  layout: CandidateLayout;
  schedule: ScheduleName;
  /** Chunks of a rank. */
  virtualPipeline: number;
  /** Sequences of a micro-batch that the schedule can take, ascending; at least one. */
  microBatchSizes: number[];
}

/** Chunks of a rank that interleaves, where a job leaves them open: messages between more are not counted. */
const USUAL_CHUNKS = 2;

/** How the engine can run a layout of a job, and the first obstacle to what it cannot. */
export function runnableArrangements(
  job: Job,
  layout: CandidateLayout,
): { arrangements: Arrangement[]; obstacle: Problem | undefined } {
  const { training } = job;
  const sequences = training.globalBatchSize / layout.dataParallel;
  const sizes =
    training.microBatchSize === undefined ? divisors(sequences) : [training.microBatchSize];
  const recompute = fixedRecompute(job);
  const arrangements: Arrangement[] = [];
  let obstacle: Problem | undefined;
  const { pipelineParallel } = layout;
  const limits = limitsOf(job);
  const isOpen = limits.virtualPipeline === undefined && limits.numStages === undefined;
  for (const [schedule, virtualPipeline] of arrangementsOf(pipelineParallel, limits)) {
    if (isOpen && virtualPipeline > USUAL_CHUNKS) continue;
    const least = leastMicroBatches(schedule, pipelineParallel);
    const microBatchSizes = sizes.filter((size) => {
      const numMicroBatches = sequences / size;
      const { optimizerSharding } = training;
      const run = { ...layout, schedule, numMicroBatches, optimizerSharding, recompute };
      const why =
        numMicroBatches < least ? tooFew(schedule, least, numMicroBatches) : whyNotRunnable(run);
      obstacle ??= why;
      return why === undefined;
    });
    if (microBatchSizes.length > 0) {
      arrangements.push({ layout, schedule, virtualPipeline, microBatchSizes });
    }
  }
  return { arrangements, obstacle: obstacle ?? noArrangement(job, layout) };
}

function limitsOf(job: Job): ArrangementLimits {
  const { stages, virtualPipeline } = job.layout === "auto" ? {} : job.layout;
  return {
    schedules: allowedSchedules(job),
    virtualPipeline,
    numStages: stages?.length,
    mostStages: job.model.layers,
  };
}

function tooFew(schedule: ScheduleName, least: number, numMicroBatches: number): Problem {
  return {
    path: ["layout", "schedule"],
    message: `${schedule} needs at least ${least} micro-batches, not ${numMicroBatches}; use a larger batch, smaller micro-batches or fewer stages`,
  };
}

function noArrangement(job: Job, { pipelineParallel }: CandidateLayout): Problem {
  const schedules = joinAlternatives(allowedSchedules(job));
  return {
    path: ["layout", "schedule"],
    message: `${schedules} cannot have the stages that the job asks for on pipelineParallel ${pipelineParallel}; change stages, virtualPipeline or the schedule`,
  };
}

/** The kinds of recompute that a job gives to some layer. */
function fixedRecompute(job: Job): RecomputeKind[] {
  return [...new Set([wantedRecompute(job)].flat())].filter((kind) => kind !== "auto");
}
