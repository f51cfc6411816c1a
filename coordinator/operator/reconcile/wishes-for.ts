import type { MoETrainingJobSpec } from "../../kubernetes/moe-training-job.ts";
import { isEnded } from "../../run/run-state.ts";
import type { Action } from "./actions.ts";
import type { Observation, ObservedRun } from "./observation.ts";
import type { Standing } from "./standing.ts";

/** What is to be wished of the coordinator, so that the run is as the job says. */
export function wishesFor({ verdict, run }: Observation, standing: Standing): Action[] {
  const { runId, agents, spec, isHeld, isOver, isResizing, isRunOff } = standing;
  if (isOver) return run === undefined || isEnded(run.state) ? [] : [{ kind: "cancelRun", runId }];
  // A queue takes nodes away by suspending their job, whatever became of the spec.
  const isOff = isHeld || isResizing || agents?.isSuspended === true;
  const isOn = !isOff && agents !== undefined;
  if (run === undefined) {
    if (!isOn || spec === undefined || verdict.kind !== "planned") return [];
    const { jobJson } = verdict;
    const { maxRestarts } = spec;
    return [{ kind: "submitRun", runId, jobJson, ...ranksOf(spec), maxRestarts }];
  }
  // One that is to let go of all its nodes need not let go of some before.
  const isKept = spec === undefined || (isResizing && !isRunOff);
  const scale = isKept ? [] : scaled(run, spec, runId);
  return [...scale, ...paused(run, { isOff, isOn, runId })];
}

function paused(
  { state }: ObservedRun,
  { isOff, isOn, runId }: { isOff: boolean; isOn: boolean; runId: string },
): Action[] {
  if (isOff) {
    const isGoing = state !== "suspending" && state !== "suspended" && state !== "stopping";
    return isGoing ? [{ kind: "suspendRun", runId }] : [];
  }
  return isOn && state === "suspended" ? [{ kind: "resumeRun", runId }] : [];
}

function scaled(run: ObservedRun, spec: MoETrainingJobSpec, runId: string): Action[] {
  const { minRanks, maxRanks } = ranksOf(spec);
  if (maxRanks === run.maxRanks && minRanks === run.minRanks) return [];
  return [{ kind: "scaleRun", runId, minRanks, maxRanks }];
}

/** A job that does not say how few nodes will do needs all of them. */
function ranksOf({ nodes, gpusPerNode }: MoETrainingJobSpec) {
  const { max, min = max } = nodes;
  return { minRanks: min * gpusPerNode, maxRanks: max * gpusPerNode };
}
