import type { Cluster } from "../hardware/cluster.ts";
import {
  CLUSTER_PRESET_NAMES,
  type ClusterPresetName,
  clusterPreset,
} from "../hardware/presets.ts";
import { type PlanProblem, RESERVED_SHARE } from "../problem-of-job.ts";
import type { FittingChange } from "./fitting-change.ts";
import { leastEnough } from "./least-enough.ts";
import type { Trials } from "./trials.ts";

const MAX_MEMORY_BISECTIONS = 5;
const MAX_PRESETS = 3;
/** No GPU has nearly as much. */
const MAX_MEMORY_GB = 500;
const GB = 1e9;

/** GPUs with more memory: how much, and presets that have it. */
export function fittingMemory(
  trials: Trials,
  problem: PlanProblem,
  missingBytes: number,
): FittingChange[] {
  const { accelerator } = problem.workload.cluster;
  const has = Math.floor(accelerator.memoryBytes / GB);
  // What is missing, and what the allocator leaves unused of it.
  const enough = Math.ceil((accelerator.memoryBytes + 1.15 * missingBytes) / GB);
  const first = Math.min(enough, MAX_MEMORY_GB);
  const memoryGB = leastEnough(has, first, MAX_MEMORY_GB, MAX_MEMORY_BISECTIONS, (gigabytes) =>
    trials.fits(withAccelerator(problem, { ...accelerator, memoryBytes: gigabytes * GB })),
  );
  if (memoryGB === undefined) return [];
  const presets = largerPresets(problem, memoryGB)
    .filter(({ cluster }) => trials.fits(withCluster(problem, cluster)))
    .map(({ name }) => name);
  return [{ kind: "memory", memoryGB, presets }];
}

/** Presets with at least this memory and the job's precision, one of each size, least first. */
function largerPresets({ workload }: PlanProblem, memoryGB: number) {
  const { nodes, gpusPerNode } = workload.cluster;
  const bySize = new Map<number, { name: ClusterPresetName; cluster: Cluster }>();
  for (const name of CLUSTER_PRESET_NAMES) {
    const cluster = clusterPreset(name, nodes, gpusPerNode);
    const { memoryBytes, peakFlops } = cluster.accelerator;
    const isUsable = name !== "cpu" && peakFlops[workload.precision] !== undefined;
    if (!isUsable || memoryBytes < memoryGB * GB || bySize.has(memoryBytes)) continue;
    bySize.set(memoryBytes, { name, cluster });
  }
  return [...bySize]
    .sort(([a], [b]) => a - b)
    .slice(0, MAX_PRESETS)
    .map(([, preset]) => preset);
}

function withAccelerator(problem: PlanProblem, accelerator: Cluster["accelerator"]): PlanProblem {
  return withCluster(problem, { ...problem.workload.cluster, accelerator });
}

/** The reserve is kept as it is, or as a share where it was the usual share. */
function withCluster({ workload, constraints }: PlanProblem, cluster: Cluster): PlanProblem {
  const { reserveBytes } = constraints;
  const isUsual = reserveBytes === RESERVED_SHARE * workload.cluster.accelerator.memoryBytes;
  const kept = isUsual ? RESERVED_SHARE * cluster.accelerator.memoryBytes : reserveBytes;
  return {
    workload: { ...workload, cluster },
    constraints: { ...constraints, reserveBytes: kept },
  };
}
