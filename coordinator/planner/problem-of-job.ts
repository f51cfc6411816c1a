import { allowedSchedules, isLocal, wantedRecompute } from "../spec/planning-defaults.ts";
import { type JobSource, joinAlternatives, problemsToError } from "../spec/problems.ts";
import type { Job } from "../spec/schema.ts";
import { RECOMPUTE_KINDS, type RecomputeKind, type Workload } from "./cost/workload.ts";
import type { Cluster } from "./hardware/cluster.ts";
import { clusterPreset } from "./hardware/presets.ts";
import { fixedSizesOf } from "./layout/fixed-sizes.ts";
import { shapeOfJob } from "./model/shape-of-job.ts";
import type { Constraints, Target } from "./search/constraints.ts";
import { fixedKinds } from "./search/recompute-forms.ts";

/** Share of a GPU's memory that plans leave free, unless the job says how much. */
export const RESERVED_SHARE = 0.04;

/** What `planWorkload` is asked for a job. */
export interface PlanProblem {
  workload: Workload;
  constraints: Constraints;
}

/**
 * The cluster that a job names by its GPUs; one it has as a file is read by the caller.
 * A local job gets as many CPU ranks as it asks for.
 */
export function presetOfJob({ cluster }: Job): Cluster {
  const { gpu, nodes = 1, gpusPerNode, ranks } = cluster;
  if (gpu === undefined) return limited(clusterPreset("cpu", 1, ranks), cluster.memoryLimit);
  return clusterPreset(gpu, nodes, gpusPerNode ?? ranks);
}

function limited(cluster: Cluster, gigabytes: number | undefined): Cluster {
  if (gigabytes === undefined) return cluster;
  return { ...cluster, accelerator: { ...cluster.accelerator, memoryBytes: gigabytes * 1e9 } };
}

/** What a job trains, on what and how. */
export function workloadOfJob(job: Job, cluster: Cluster): Workload {
  const { training, moe } = job;
  return {
    model: shapeOfJob(job),
    cluster,
    sequenceLength: training.sequenceLength,
    globalBatchSize: training.globalBatchSize,
    precision: training.precision,
    capacityFactor: moe.capacityFactor,
    imbalance: moe.imbalance,
    optimizerSharding: training.optimizerSharding,
    stack: isLocal(job.cluster) ? "moestro" : "megatron",
  };
}

/**
 * A job on a cluster as the planner's problem.
 *
 * @param source where the job was read from, so that errors can point there
 */
export function problemOfJob(
  job: Job,
  cluster: Cluster,
  target: Target,
  source?: JobSource,
): PlanProblem {
  const { training } = job;
  const { memoryBytes, peakFlops, name } = cluster.accelerator;
  if (peakFlops[training.precision] === undefined) {
    const message = `${name} has no ${training.precision}; use ${joinAlternatives(Object.keys(peakFlops))}`;
    throw problemsToError([{ path: ["training", "precision"], message }], source);
  }
  const reserved = job.cluster.memoryReserve;
  if (reserved !== undefined && reserved * 1e9 >= memoryBytes) {
    const message = `${reserved} GB leaves nothing of the ${(memoryBytes / 1e9).toFixed(1)} GB of ${name}; use less`;
    throw problemsToError([{ path: ["cluster", "memoryReserve"], message }], source);
  }
  const kinds = fixedKinds(recomputeOf(job));
  if ((target === "megatron" || target === "torchtitan") && kinds.length > 1) {
    const message = `lists ${joinAlternatives(kinds).replace(" or ", " and ")} by layer, but ${target} can be told one kind for all; give one kind, or plan without --expressible ${target}`;
    throw problemsToError([{ path: ["layout", "recompute"], message }], source);
  }
  return {
    workload: workloadOfJob(job, cluster),
    constraints: {
      ranks: cluster.nodes * cluster.gpusPerNode,
      fixed: sizesOf(job),
      microBatchSize: training.microBatchSize,
      virtualPipeline: job.layout === "auto" ? undefined : job.layout.virtualPipeline,
      schedules: allowedSchedules(job),
      ...recomputeOf(job),
      layersPerStage: job.layout === "auto" ? undefined : job.layout.stages,
      target,
      reserveBytes: reservedOf(job, memoryBytes),
    },
  };
}

/** A limit that a person gives is meant to the last byte. */
function reservedOf({ cluster }: Job, memoryBytes: number): number {
  const { memoryReserve, memoryLimit } = cluster;
  if (memoryReserve !== undefined) return memoryReserve * 1e9;
  return memoryLimit === undefined ? RESERVED_SHARE * memoryBytes : 0;
}

function sizesOf(job: Job): Constraints["fixed"] {
  const { tensorParallel, contextParallel, pipelineParallel, dataParallel } = fixedSizesOf(job);
  const { expertParallel, expertTensorParallel, scheme } = fixedSizesOf(job);
  return {
    tensorParallel,
    contextParallel,
    pipelineParallel,
    dataParallel,
    expertParallel,
    expertTensorParallel,
    scheme,
  };
}

function recomputeOf(job: Job): Pick<Constraints, "recompute" | "recomputePerLayer"> {
  const wanted = wantedRecompute(job);
  if (wanted === "auto") return { recompute: RECOMPUTE_KINDS };
  if (!Array.isArray(wanted)) return { recompute: [wanted] };
  const perLayer = wanted.map((kind): RecomputeKind | undefined =>
    kind === "auto" ? undefined : kind,
  );
  return { recompute: RECOMPUTE_KINDS, recomputePerLayer: perLayer };
}
