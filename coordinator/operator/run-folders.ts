import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { KubernetesObject } from "../kubernetes/children/kubernetes-object.ts";
import { runIdOf } from "../kubernetes/run-id.ts";
import type { ClusterWrites, Written } from "./cluster/cluster-writes.ts";
import { isAgents } from "./reconcile/agents.ts";

/**
 * Writes that make a run's folder before its pods may start, which mount it: where it is not
 * there the kubelet makes it, as root's, and no agent may write in it.
 *
 * @param runsDirectory what is mounted of which
 */
export function withRunFolders(writes: ClusterWrites, runsDirectory: string): ClusterWrites {
  return {
    ...writes,
    async applyChild(child, resourceVersion) {
      if (!mayStartPods(child, resourceVersion)) return writes.applyChild(child, resourceVersion);
      const refused = await refusedFolder(child, runsDirectory);
      return refused ?? writes.applyChild(child, resourceVersion);
    },
  };
}

/** One that is made suspended is a queue's to start; one that is suspended needs no folder. */
function mayStartPods(child: KubernetesObject, resourceVersion: string | undefined): boolean {
  const { suspend } = (child.spec ?? {}) as { suspend?: boolean };
  return isAgents(child) && (resourceVersion === undefined || suspend !== true);
}

/** Told of the pods' job, and tried again, as what the API server refuses; undefined if all is well. */
async function refusedFolder(
  { kind, metadata }: KubernetesObject,
  runsDirectory: string,
): Promise<Written | undefined> {
  const [owner] = metadata.ownerReferences ?? [];
  if (owner === undefined) return undefined;
  const path = join(runsDirectory, runIdOf(owner));
  try {
    // As at a submission: whoever comes first makes it.
    await mkdir(path, { recursive: true, mode: 0o700 });
    return undefined;
  } catch (error) {
    const why = (error as Error).message;
    const message = `${path}: cannot make the run's folder: ${why}; free space, or let the coordinator write there`;
    return { kind: "refused", by: { kind, name: metadata.name, message } };
  }
}
