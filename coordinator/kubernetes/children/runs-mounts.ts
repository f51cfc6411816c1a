import type { MoETrainingJob } from "../moe-training-job.ts";
import { NO_UID, runIdOf } from "../run-id.ts";
import type { ChildrenOptions } from "./options.ts";

/** The volume of the claim that all runs share. */
export const RUNS_VOLUME = "runs";

/**
 * All runs, and the data beside them, to be read; the job's own run, in the folder of its name,
 * to be written. The folder must be there when pods start: the kubelet makes one that is root's.
 */
export function runsMounts(job: MoETrainingJob, { runsPath }: ChildrenOptions) {
  const runId = runOf(job);
  return [
    { name: RUNS_VOLUME, mountPath: runsPath, readOnly: true },
    { name: RUNS_VOLUME, mountPath: `${runsPath}/${runId}`, subPath: runId },
  ];
}

export function runsVolume({ runsClaim }: ChildrenOptions) {
  return { name: RUNS_VOLUME, persistentVolumeClaim: { claimName: runsClaim } };
}

/** Of a job that is in no cluster too. */
export function runOf({ metadata: { name, uid = NO_UID } }: MoETrainingJob): string {
  return runIdOf({ name, uid });
}
