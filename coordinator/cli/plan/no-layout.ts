import { checkLayout } from "../../planner/layout/check-layout.ts";
import type { Constraints } from "../../planner/search/constraints.ts";
import { allowedSchedules, wantedRecompute } from "../../spec/planning-defaults.ts";
import type { Problem } from "../../spec/problems.ts";
import type { FixedLayout, Job } from "../../spec/schema.ts";

/**
 * Which of the sizes that are fixed break a rule, or which two of them conflict.
 * Empty when the sizes alone are legal, so that something else is at fault.
 */
export function whyNoLayout(job: Job, { ranks, fixed, microBatchSize }: Constraints): Problem[] {
  const { training } = job;
  const layout = { ...openLayout(job), ...fixed };
  return checkLayout({ ...job, layout, training: { ...training, microBatchSize } }, ranks);
}

function openLayout(job: Job): FixedLayout {
  if (job.layout !== "auto") return job.layout;
  return { recompute: wantedRecompute(job), schedule: [...allowedSchedules(job)] };
}
