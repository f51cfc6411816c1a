import type { Plan } from "../../../proto/gen/moestro/v1/plan_pb.js";
import { Recompute } from "../../../proto/gen/moestro/v1/plan_pb.js";
import { MoestroError } from "../../errors.ts";
import { wantedRecompute } from "../../spec/planning-defaults.ts";
import type { Job } from "../../spec/schema.ts";
import type { Measured } from "../hardware/measured.ts";
import { probedStepMs } from "../hardware/predict-probed.ts";
import { fixedSizesOf, limitsOf } from "../layout/check-layout.ts";
import { isRunnable } from "../layout/engine-capabilities.ts";
import { enumerateLayouts } from "../layout/enumerate-layouts.ts";
import { type CandidateLayout, divisors } from "../layout/sizes.ts";
import { planJob } from "../plan-job.ts";

/** A plan of the engine's and what the probe says of its step. */
export interface ProbedPlan {
  plan: Plan;
  stepTimeMs: number;
}

/**
 * Every layout of a local job that the engine runs and the probe measured, with
 * each micro-batch size it measured, quickest first.
 */
export function probedPlans(job: Job, measured: Measured): ProbedPlan[] {
  const sizes = new Set(measured.layers.map(({ microBatchSize }) => microBatchSize));
  const plans: ProbedPlan[] = [];
  for (const layout of enumerateLayouts(limitsOf(job), fixedSizesOf(job))) {
    if (!isRunnable(layout)) continue;
    for (const size of divisors(job.training.globalBatchSize / layout.dataParallel)) {
      const { microBatchSize = size } = job.training;
      if (size !== microBatchSize || !sizes.has(size)) continue;
      const probed = probedPlan(fix(job, layout, size), measured);
      if (probed !== undefined) plans.push(probed);
    }
  }
  return plans.sort((a, b) => a.stepTimeMs - b.stepTimeMs);
}

/** Undefined for what the probe did not measure. */
function probedPlan(job: Job, measured: Measured): ProbedPlan | undefined {
  const plan = planJob(job);
  const { layout } = plan;
  if (layout === undefined) return undefined;
  try {
    const stepTimeMs = probedStepMs(measured, {
      layersPerStage: plan.stages.map(({ numLayers }) => numLayers),
      recomputePerLayer: plan.stages.flatMap(({ recompute }) =>
        recompute.map((kind) => kind === Recompute.FULL),
      ),
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

/** The job with a layout and micro-batch size fixed by hand. */
function fix(job: Job, layout: CandidateLayout, microBatchSize: number): Job {
  const { expertDataParallel: _, ...sizes } = layout;
  const written = job.layout === "auto" ? {} : job.layout;
  return {
    ...job,
    training: { ...job.training, microBatchSize },
    layout: { ...written, ...sizes, recompute: wantedRecompute(job), schedule: ["1f1b"] },
  };
}
