import { isMapping } from "../../spec/mapping.ts";
import type { JobPath, Problem } from "../../spec/problems.ts";
import type { MoETrainingJob } from "../moe-training-job.ts";
import { AGENT_CONTAINER } from "./agent-container.ts";
import { CHILDREN_OPTIONS, type ChildrenOptions } from "./options.ts";
import { RUNS_VOLUME, runOf } from "./runs-mounts.ts";

type Mapping = Record<string, unknown>;

const CONTAINERS = ["containers", "initContainers"] as const;
const WRITES = "would write what is of other runs; add readOnly: true, or remove it";
const HIDES = "is where agents read the runs; mount it below, or elsewhere";

/** Mounts of a pod template's patch that would let jobs write more of the runs than their own. */
export function runsProblems(spec: Mapping, path: JobPath): Problem[] {
  return CONTAINERS.flatMap((list) =>
    entriesOf(spec, list).flatMap(([container, at]) =>
      entriesOf(container, "volumeMounts").flatMap(([mount, mountAt]) => {
        const message = whyNot(mount, container.name === AGENT_CONTAINER);
        const place = [...path, list, at, "volumeMounts", mountAt];
        return message === undefined ? [] : [{ path: place, message }];
      }),
    ),
  );
}

/** @param isAgents patches what the agent has there already */
function whyNot({ name, mountPath, readOnly }: Mapping, isAgents: boolean) {
  const isTheirPlace =
    isAgents && String(mountPath).replace(/\/+$/, "") === CHILDREN_OPTIONS.runsPath;
  if (isTheirPlace && name !== undefined && name !== RUNS_VOLUME) return HIDES;
  return (isTheirPlace || name === RUNS_VOLUME) && readOnly !== true ? WRITES : undefined;
}

/**
 * The pod with every mount of the runs read-only but for the run's own folder, whatever a
 * template made of them: `runsProblems` knows their claim by the name in the manifests alone.
 *
 * @param spec of the pod, the template merged in
 */
export function withRunsKept(
  spec: Mapping,
  job: MoETrainingJob,
  { runsClaim }: ChildrenOptions,
): Mapping {
  const ofTheClaim = entriesOf(spec, "volumes").flatMap(([{ name, persistentVolumeClaim }]) =>
    isMapping(persistentVolumeClaim) && persistentVolumeClaim.claimName === runsClaim ? [name] : [],
  );
  const volumes = new Set<unknown>([RUNS_VOLUME, ...ofTheClaim]);
  const runId = runOf(job);
  const keep = (mount: Mapping) =>
    volumes.has(mount.name) && mount.subPath !== runId ? { ...mount, readOnly: true } : mount;
  return CONTAINERS.reduce(
    (pod, list) => withEach(pod, list, (one) => withEach(one, "volumeMounts", keep)),
    spec,
  );
}

/** With every entry of a list changed, where there is the list. */
function withEach(parent: Mapping, list: string, change: (entry: Mapping) => Mapping): Mapping {
  if (parent[list] === undefined) return parent;
  return { ...parent, [list]: entriesOf(parent, list).map(([entry]) => change(entry)) };
}

function entriesOf(parent: Mapping, list: string) {
  const entries = parent[list];
  return (Array.isArray(entries) ? entries : []).flatMap((entry, at): [Mapping, number][] =>
    isMapping(entry) ? [[entry, at]] : [],
  );
}
