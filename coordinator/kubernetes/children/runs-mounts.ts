import { isMapping } from "../../spec/mapping.ts";
import type { MoETrainingJob } from "../moe-training-job.ts";
import { NO_UID, runIdOf } from "../run-id.ts";
import type { ChildrenOptions } from "./options.ts";

/** The volume of the claim that all runs share. */
export const RUNS_VOLUME = "runs";

type Mapping = Record<string, unknown>;

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

/**
 * The pod with every mount of that claim read-only but for the run's own folder, whatever a
 * template made of them: `templateProblems` knows the claim by the name in the manifests alone.
 *
 * @param spec of the pod, the template merged in
 */
export function withRunsKept(
  spec: Mapping,
  job: MoETrainingJob,
  { runsClaim }: ChildrenOptions,
): Mapping {
  const kept = new Set<unknown>([
    RUNS_VOLUME,
    ...mappingsIn(spec.volumes)
      .filter(
        ({ persistentVolumeClaim: claim }) => isMapping(claim) && claim.claimName === runsClaim,
      )
      .map(({ name }) => name),
  ]);
  const runId = runOf(job);
  const keep = (mount: Mapping) =>
    kept.has(mount.name) && mount.subPath !== runId ? { ...mount, readOnly: true } : mount;
  const inContainers = (containers: unknown) =>
    mappingsIn(containers).map((container) => ({
      ...container,
      ...(container.volumeMounts === undefined
        ? {}
        : { volumeMounts: mappingsIn(container.volumeMounts).map(keep) }),
    }));
  return {
    ...spec,
    containers: inContainers(spec.containers),
    ...(spec.initContainers === undefined
      ? {}
      : { initContainers: inContainers(spec.initContainers) }),
  };
}

const runOf = ({ metadata: { name, uid = NO_UID } }: MoETrainingJob) => runIdOf({ name, uid });

function mappingsIn(list: unknown): Mapping[] {
  return Array.isArray(list) ? list.filter(isMapping) : [];
}
