import { fixedSettings } from "../fixed-settings.ts";
import { type PlanProblem, RESERVED_SHARE } from "../problem-of-job.ts";
import type { Constraints } from "../search/constraints.ts";
import type { FittingChange } from "./fitting-change.ts";
import type { Trials } from "./trials.ts";

/** Each thing that is fixed and without which a plan is found. */
export function fittingFreed(trials: Trials, { workload, constraints }: PlanProblem) {
  return freeable({ workload, constraints })
    .filter(({ free }) => trials.fits({ workload, constraints: { ...constraints, ...free } }))
    .map(({ setting }): FittingChange => ({ kind: "freed", setting }));
}

/** A setting as the job or the command names it, and the constraints to replace. */
interface Freeable {
  setting: string;
  free: Partial<Constraints>;
}

function freeable({ workload, constraints }: PlanProblem): Freeable[] {
  const { fixed, layersPerStage, target, reserveBytes = 0 } = constraints;
  const usual = RESERVED_SHARE * workload.cluster.accelerator.memoryBytes;
  // Stages fix the pipeline, so they go together.
  const stages = { layersPerStage: undefined, fixed: { ...fixed, pipelineParallel: undefined } };
  const settings = fixedSettings(constraints)
    .map(({ path, without }): Freeable => ({ setting: path.join("."), free: without }))
    .filter(({ setting }) => layersPerStage === undefined || setting !== "layout.pipelineParallel");
  return [
    ...(layersPerStage === undefined ? [] : [{ setting: "layout.stages", free: stages }]),
    ...settings,
    ...(target === "any" ? [] : [{ setting: "--expressible", free: { target: "any" as const } }]),
    ...(reserveBytes > usual
      ? [{ setting: "cluster.memoryReserve", free: { reserveBytes: usual } }]
      : []),
  ];
}
