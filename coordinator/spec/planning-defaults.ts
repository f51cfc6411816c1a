import type { FixedLayout, Job, JobDocument, ScheduleName } from "./schema.ts";
import { SCHEDULE_NAMES } from "./sections/layout.ts";

type ClusterSection = JobDocument["cluster"];

/** GPUs of a node where the job does not say: 4 in a GB200 tray, 8 elsewhere. */
const GPUS_PER_NODE = 8;
const GPUS_PER_GB200_NODE = 4;

/** Whether a job is for this machine, rather than a cluster it is planned for. */
export function isLocal({ gpu, file, profile }: ClusterSection): boolean {
  return gpu === undefined && file === undefined && profile === undefined;
}

/** Nodes, GPUs of each, and ranks of all, as far as the section says. */
export function resolveCluster(cluster: ClusterSection): Job["cluster"] {
  const usual = cluster.gpu === "gb200" ? GPUS_PER_GB200_NODE : GPUS_PER_NODE;
  const gpusPerNode = cluster.gpusPerNode ?? (cluster.gpu === undefined ? undefined : usual);
  const { nodes, ranks } = cluster;
  const known = nodes !== undefined && gpusPerNode !== undefined ? nodes * gpusPerNode : undefined;
  return {
    ...cluster,
    ...(gpusPerNode === undefined ? {} : { gpusPerNode }),
    ranks: ranks ?? known ?? 1,
  };
}

/** What a job leaves open of how it is trained follows from where it is. */
export function precisionAndSharding({
  cluster,
  training,
}: JobDocument): Pick<Job["training"], "precision" | "optimizerSharding"> {
  const local = isLocal(cluster);
  return {
    precision: training.precision ?? (local ? "fp32" : "bf16"),
    optimizerSharding: training.optimizerSharding ?? (local ? "none" : "zero1"),
  };
}

/** The schedules that a job allows, whether or not it fixes a layout. */
export function allowedSchedules(job: Pick<Job, "cluster" | "layout">): readonly ScheduleName[] {
  return job.layout === "auto" ? usualSchedules(job.cluster, 1) : job.layout.schedule;
}

/** What a job says of recompute, whether or not it fixes a layout. */
export function wantedRecompute(job: Pick<Job, "cluster" | "layout">): FixedLayout["recompute"] {
  return job.layout === "auto" ? usualRecompute(job.cluster) : job.layout.recompute;
}

export function resolveLayout({ cluster, layout }: JobDocument): Job["layout"] {
  if (layout === "auto") return "auto";
  const { virtualPipeline = 1, recompute = usualRecompute(cluster) } = layout;
  const { schedule = usualSchedules(cluster, virtualPipeline) } = layout;
  return { ...layout, recompute, schedule: typeof schedule === "string" ? [schedule] : schedule };
}

/** Several chunks a rank say that the pipeline is to be interleaved. */
function usualSchedules(cluster: ClusterSection, chunks: number): ScheduleName[] {
  if (!isLocal(cluster)) return [...SCHEDULE_NAMES];
  return chunks > 1 ? ["interleaved"] : ["1f1b"];
}

/** On this machine memory is not counted unless it is limited. */
function usualRecompute(cluster: ClusterSection): "none" | "auto" {
  return isLocal(cluster) && cluster.memoryLimit === undefined ? "none" : "auto";
}
