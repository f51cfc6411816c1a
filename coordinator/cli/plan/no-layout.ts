import type { Workload } from "../../planner/cost/workload.ts";
import { type FixedSetting, fixedSettings } from "../../planner/fixed-settings.ts";
import { checkLayout } from "../../planner/layout/check-layout.ts";
import type { PlanProblem } from "../../planner/problem-of-job.ts";
import type { Constraints } from "../../planner/search/constraints.ts";
import { modelParts } from "../../planner/search/model-parts.ts";
import { Space } from "../../planner/search/space.ts";
import { whyNotExpressible } from "../../planner/search/targets.ts";
import { wantedRecompute } from "../../spec/planning-defaults.ts";
import type { JobPath, Problem } from "../../spec/problems.ts";
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
