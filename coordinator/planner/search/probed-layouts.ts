import type { Plan } from "../../../proto/gen/moestro/v1/plan_pb.js";
import { MoestroError } from "../../errors.ts";
import { wantedRecompute } from "../../spec/planning-defaults.ts";
import type { Job } from "../../spec/schema.ts";
import { SCHEDULE_NAMES } from "../../spec/sections/layout.ts";
import type { Measured } from "../hardware/measured.ts";
import { probedStepMs } from "../hardware/predict-probed.ts";
import { limitsOf } from "../layout/check-layout.ts";
import { enumerateLayouts } from "../layout/enumerate-layouts.ts";
import { fixedSizesOf } from "../layout/fixed-sizes.ts";
import { type Arrangement, runnableArrangements } from "../layout/runnable.ts";
import { planJob } from "../plan-job.ts";
import { recomputeName, scheduleName } from "../plan-names.ts";
import { modelWork, type Work } from "../work.ts";

/** A plan of the engine's and what the probe says of its step. */
export interface ProbedPlan {
  plan: Plan;
  stepTimeMs: number;
}

/**
 * Every layout of a local job that the engine runs and the probe measured, with each
 * micro-batch size it measured, quickest first. A job without a layout leaves the
 * schedule open too. The probe measures experts on the tensor-parallel ranks, scheme
 * edp, and sequences that are whole.
 */
export function probedPlans(job: Job, measured: Measured): ProbedPlan[] {
  const sizes = new Set(measured.layers.map(({ microBatchSize }) => microBatchSize));
  const open = withOpenSchedule(job);
  const plans: ProbedPlan[] = [];
  for (const layout of enumerateLayouts(limitsOf(job), fixedSizesOf(job))) {
    if (layout.scheme !== "edp" || layout.contextParallel !== 1) continue;
    for (const arrangement of runnableArrangements(open, layout).arrangements) {
      for (const size of arrangement.microBatchSizes) {
        if (!sizes.has(size)) continue;
        const probed = probedPlan(fix(open, arrangement, size), measured);
        if (probed !== undefined) plans.push(probed);
      }
    }
  }
  return plans.sort((a, b) => a.stepTimeMs - b.stepTimeMs);
}

/** Undefined for what the probe did not measure, and for what does not fit the memory. */
function probedPlan(job: Job, measured: Measured): ProbedPlan | undefined {
  try {
    const plan = planJob(job);
    const { layout } = plan;
    if (layout === undefined) return undefined;
    const stepTimeMs = probedStepMs(measured, {
      schedule: scheduleName(plan.schedule),
      layersPerStage: plan.stages.map(({ numLayers }) => numLayers),
      recomputePerLayer: recomputeShares(job, plan),
      tensorParallel: layout.tensorParallel,
      pipelineParallel: layout.pipelineParallel,
      dataParallel: layout.dataParallel,
      microBatchSize: plan.microBatchSize,
      numMicroBatches: plan.numMicroBatches,
    });
    return { plan, stepTimeMs };
  } catch (error) {
    if (error instanceof MoestroError) return undefined;
    throw error;
  }
}

/** Of full recompute, which alone is measured; selective does its share of the FLOPs. */
function recomputeShares(job: Job, { layout, stages, microBatchSize }: Plan): number[] {
  if (layout === undefined) return [];
  const { layers } = modelWork(job, layout, microBatchSize);
  return stages
    .flatMap(({ recompute }) => recompute.map(recomputeName))
    .map((kind, layer) => {
      const { recompute } = layers[layer] as Work;
      return recompute[kind] / recompute.full;
    });
}

function withOpenSchedule(job: Job): Job {
  if (job.layout !== "auto") return job;
  const layout = { recompute: wantedRecompute(job), schedule: [...SCHEDULE_NAMES] };
  return { ...job, layout };
}

/** The job with an arrangement and micro-batch size fixed by hand. */
function fix(job: Job, arrangement: Arrangement, microBatchSize: number): Job {
  const { layout, schedule, virtualPipeline } = arrangement;
  const { expertDataParallel: _, ...sizes } = layout;
  const written = job.layout === "auto" ? {} : job.layout;
  const fixed = { recompute: wantedRecompute(job), schedule: [schedule], virtualPipeline };
  return {
    ...job,
    training: { ...job.training, microBatchSize },
    layout: { ...written, ...sizes, ...fixed },
  };
}
