import { runIdOf } from "../kubernetes/run-id.ts";
import { isEnded, type RunState } from "../run/run-state.ts";

/**
 * Runs to cancel, as nothing holds a deleted job back until its run has ended: those that the
 * operator submitted, are not over, and have no job any more.
 *
 * @param submitted by the operator, as the coordinator lists them
 * @param jobs a whole list, read after the runs were: a job is older than its run
 */
export function orphanedRuns(
  submitted: readonly { runId: string; state: RunState }[],
  jobs: readonly { name: string; uid: string }[],
): string[] {
  const owned = new Set(jobs.map(runIdOf));
  return submitted
    .filter(({ runId, state }) => !owned.has(runId) && !isEnded(state))
    .map(({ runId }) => runId);
}
