import type { MoETrainingJobSpec } from "../../kubernetes/moe-training-job.ts";
import { isEnded } from "../../run/run-state.ts";
import type { Action } from "./actions.ts";
import type { Observation, ObservedRun } from "./observation.ts";
import type { Standing } from "./standing.ts";

/** What is to be wished of the coordinator, so that the run is as the job says. */
export function planRun({ verdict, run }: Observation, standing: Standing): Action[] {
  const { runId, agents, spec, isOver, isResizing, isRunOff } = standing;
  if (isOver) return run === undefined || isEnded(run.state) ? [] : [{ kind: "cancelRun", runId }];
  if (spec === undefined || verdict.kind === "refused") return [];
  // A queue takes nodes away by suspending their job.
  const isOff = spec.suspend || isResizing || agents?.isSuspended === true;
  const isOn = !isOff && agents !== undefined;
  if (run === undefined) {
    if (!isOn) return [];
    const { jobJson } = verdict;
    const { maxRestarts } = spec;
    return [{ kind: "submitRun", runId, jobJson, ...ranksOf(spec), maxRestarts }];
  }
  // One that is to let go of all its nodes need not let go of some before.
  const scale = isResizing && !isRunOff ? [] : scaled(run, spec, runId);
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
  const { minRanks, maxRanks } = ranksOf(spec, run.minRanks);
  if (maxRanks === run.maxRanks && minRanks === run.minRanks) return [];
  return [{ kind: "scaleRun", runId, minRanks, maxRanks }];
}

/** @param fewest if the spec does not say; 0 is the coordinator's own choice */
function ranksOf({ nodes, gpusPerNode }: MoETrainingJobSpec, fewest = 0) {
  const maxRanks = nodes.max * gpusPerNode;
  const minRanks = nodes.min === undefined ? Math.min(fewest, maxRanks) : nodes.min * gpusPerNode;
  return { minRanks, maxRanks };
}
