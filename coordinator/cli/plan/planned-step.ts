import type { Chart } from "../../planner/export/chart.ts";
import type { PlanDocument } from "../../planner/plan-document.ts";
import { chartOfPlan, numPassesOf } from "../../planner/schedule/chart-of-plan.ts";
import type { Target } from "../../planner/search/constraints.ts";
import { loadPlanJob } from "../../spec/load-job.ts";
import { planFile } from "./plan-file.ts";

/** The plan of a job file, with what a target can be told. */
export async function planJobFile(path: string, target: Target): Promise<PlanDocument> {
  return planFile(await loadPlanJob(path), target);
}

/** Passes beyond which a picture of them is neither seen nor held in memory. */
const MOST_PASSES = 500_000;

/** The step that a plan predicts, pass by pass; undefined when those are too many to draw. */
export function planChart({ best }: PlanDocument): Chart | undefined {
  return numPassesOf(best) > MOST_PASSES ? undefined : chartOfPlan(best);
}
