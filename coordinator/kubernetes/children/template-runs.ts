import { isMapping } from "../../spec/mapping.ts";
import type { JobPath, Problem } from "../../spec/problems.ts";
import { AGENT_CONTAINER } from "./agent-container.ts";
import { CHILDREN_OPTIONS } from "./options.ts";
import { RUNS_VOLUME } from "./runs-mounts.ts";

const WRITES = "would write what is of other runs; add readOnly: true, or remove it";
const HIDES = "is where agents read the runs; mount it below, or elsewhere";

/** Mounts of a pod template's patch that would let jobs write more of the runs than their own. */
export function runsProblems(spec: Record<string, unknown>, path: JobPath): Problem[] {
  return ["containers", "initContainers"].flatMap((list) =>
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
function whyNot({ name, mountPath, readOnly }: Record<string, unknown>, isAgents: boolean) {
  const isTheirPlace =
    isAgents && String(mountPath).replace(/\/+$/, "") === CHILDREN_OPTIONS.runsPath;
  if (isTheirPlace && name !== undefined && name !== RUNS_VOLUME) return HIDES;
  return (isTheirPlace || name === RUNS_VOLUME) && readOnly !== true ? WRITES : undefined;
}

function entriesOf(parent: Record<string, unknown>, list: string) {
  const entries = parent[list];
  return (Array.isArray(entries) ? entries : []).flatMap(
    (entry, at): [Record<string, unknown>, number][] => (isMapping(entry) ? [[entry, at]] : []),
  );
}
