import { toJson } from "@bufbuild/protobuf";
import { type Plan, PlanSchema } from "../../../proto/gen/moestro/v1/plan_pb.js";
import { MoestroError } from "../../errors.ts";
import { describePlan } from "../../planner/describe-plan.ts";
import { loadCluster } from "../../planner/hardware/cluster-file.ts";
import { modelFingerprint } from "../../planner/hardware/fingerprint.ts";
import type { Measured } from "../../planner/hardware/measured.ts";
import { formatSplit } from "../../planner/partition/pipeline.ts";
import { scheduleName } from "../../planner/plan-names.ts";
import { type ProbedPlan, probedPlans } from "../../planner/search/probed-layouts.ts";
import { table } from "../../planner/text-table.ts";
import type { JobFile } from "../../spec/load-job.ts";
import { isLocal } from "../../spec/planning-defaults.ts";
import type { Job } from "../../spec/schema.ts";

/** The plans that the engine can run here, by the step time a probe of this machine predicts. */
export async function planProbed(
  file: JobFile,
  profile: string,
  color: boolean,
): Promise<{ value: unknown; text: string }> {
  const { job } = file;
  const plans = await plansByProbe(file, profile);
  const [best] = plans;
  const value = plans.map(({ plan, stepTimeMs }) => ({
    ...(toJson(PlanSchema, plan) as object),
    predicted: { stepTimeMs, tokensPerSecondPerGpu: tokensPerSecond(job, stepTimeMs) },
  }));
  const text = [...describeAll(plans, job), "", describePlan(best.plan, job, { color })].join("\n");
  return { value: { best: value[0], plans: value }, text };
}

/** The plan of a job that a probe of this machine predicts to be quickest. */
export async function planByProbe(file: JobFile, profile: string): Promise<Plan> {
  const [best] = await plansByProbe(file, profile);
  return best.plan;
}

/** Quickest first. @throws MoestroError `no_plan` when the probe measured none of the job's */
async function plansByProbe({ job }: JobFile, profile: string) {
  const [best, ...others] = probedPlans(job, await measuredFor(job, profile));
  if (best !== undefined) return [best, ...others] as const;
  throw new MoestroError(
    "no_plan",
    `${profile}: measured no layout of this job on ${job.cluster.ranks} ranks; run moestro probe with the job and --ranks ${job.cluster.ranks}`,
  );
}

async function measuredFor(job: Job, profile: string): Promise<Measured> {
  if (!isLocal(job.cluster)) {
    throw new MoestroError(
      "invalid_input",
      `--profile ${profile}: the job plans for another cluster; remove its cluster section, or give the profile as cluster.profile`,
    );
  }
  const { measured } = await loadCluster(profile);
  if (measured === undefined) {
    throw new MoestroError(
      "invalid_input",
      `${profile}: measured: is missing, so it is no profile; write one with moestro probe`,
    );
  }
  const known = measured as Measured;
  if (known.modelFingerprint !== modelFingerprint(job)) {
    throw new MoestroError(
      "invalid_input",
      `${profile}: was measured with another model or sequence length; run moestro probe with this job`,
    );
  }
  return known;
}

function tokensPerSecond({ training, cluster }: Job, stepTimeMs: number): number {
  const tokens = training.globalBatchSize * training.sequenceLength;
  return tokens / cluster.ranks / (stepTimeMs / 1000);
}

function describeAll(plans: readonly ProbedPlan[], job: Job): string[] {
  const heads = ["tp = ep", "pp", "dp", "schedule", "stages", "batch", "step", "tok/s/rank"];
  const rows = plans.map(({ plan, stepTimeMs }) => [
    String(plan.layout?.tensorParallel),
    String(plan.layout?.pipelineParallel),
    String(plan.layout?.dataParallel),
    scheduleName(plan.schedule),
    formatSplit(plan.stages.map(({ numLayers }) => numLayers)),
    `${plan.microBatchSize}x${plan.numMicroBatches}`,
    `${stepTimeMs.toFixed(1)} ms`,
    tokensPerSecond(job, stepTimeMs).toFixed(0),
  ]);
  return ["Layouts the engine runs here, as the probe predicts them", ...table([heads, ...rows])];
}
