import { isMapping } from "../../spec/mapping.ts";
import type { Problem } from "../../spec/problems.ts";
import type { Job } from "../../spec/schema.ts";
import type { MoETrainingJobSpec } from "../moe-training-job.ts";
import { MAX_NODES, MAX_RANKS_PER_NODE } from "../names.ts";
import { CLUSTER_KEYS_ELSEWHERE, jobSections } from "./job-sections.ts";
import { kubernetesSection } from "./kubernetes-section.ts";
import { toSpecValue } from "./to-spec-value.ts";

/** Why a job that can be trained is none for a cluster of Kubernetes, if it is not. */
export function whyNoSpec({ cluster }: Job): Problem | undefined {
  const key = (["file", "profile"] as const).find((one) => cluster[one] !== undefined);
  if (key !== undefined) {
    const message = "is a file of this machine; give cluster.gpu, nodes and gpusPerNode instead";
    return { path: ["cluster", key], message };
  }
  const { nodes, gpusPerNode } = nodesOf(cluster);
  if (nodes <= MAX_NODES && gpusPerNode <= MAX_RANKS_PER_NODE) return undefined;
  const message = `${gpusPerNode} ranks on each of ${nodes} nodes; use at most ${MAX_RANKS_PER_NODE} on each of ${MAX_NODES}, as a MoETrainingJob's nodes and gpusPerNode say`;
  return { path: ["cluster"], message };
}

function nodesOf({ nodes = 1, gpusPerNode, ranks }: Job["cluster"]) {
  return { nodes, gpusPerNode: gpusPerNode ?? ranks };
}

/**
 * The spec of a job file: nodes as its cluster section says, or one node with all its ranks. Only
 * for a job that `whyNoSpec` has nothing against.
 *
 * @param written the job file's content, which `job` came from
 */
export function specOfJob(written: Record<string, unknown>, { cluster }: Job): MoETrainingJobSpec {
  const { nodes, gpusPerNode } = nodesOf(cluster);
  const sections = Object.entries(jobSections())
    .filter(([key]) => written[key] !== undefined)
    .map(([key, schema]) => [key, toSpecValue(withoutElsewhere(key, written[key]), schema)])
    .filter(([, value]) => value !== undefined);
  const own = kubernetesSection.parse({ nodes: { max: nodes }, gpusPerNode });
  return { ...Object.fromEntries(sections), ...own };
}

function withoutElsewhere(section: string, value: unknown): unknown {
  if (section !== "cluster" || !isMapping(value)) return value;
  const elsewhere: readonly string[] = CLUSTER_KEYS_ELSEWHERE;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !elsewhere.includes(key)));
}
