import type { Job } from "../spec/schema.ts";
import { memoryLimitBytes } from "./cost/memory/memory-limit.ts";
import { partMemory } from "./cost/memory/part-memory.ts";
import type { PartKind, PartMemory, Placement, RecomputeKind } from "./cost/workload.ts";
import type { Arrangement } from "./layout/runnable.ts";
import { presetOfJob, workloadOfJob } from "./problem-of-job.ts";
import type { ScheduleProblem } from "./schedule/schedule-problem.ts";
import { modelWork, recomputeOf, type Work } from "./work.ts";

/** More than any rank has. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * A job's model under one arrangement as the problem of cutting it into stages, with
 * FLOPs of a rank in place of milliseconds and no communication. The head is part of
 * the last layer, the embedding of the first. Memory counts when the job limits it.
 */
export function flopsProblem(
  job: Job,
  { layout, schedule, virtualPipeline }: Omit<Arrangement, "microBatchSizes">,
  microBatchSize: number,
): ScheduleProblem {
  const placement: Placement = { ...layout, virtualPipeline, microBatchSize };
  const workload = workloadOfJob(job, presetOfJob(job));
  const { layers, head } = modelWork(job, layout, microBatchSize);
  const known = new Map<PartKind, PartMemory>();
  const memoryOf = (kind: PartKind): PartMemory => {
    const memory = known.get(kind) ?? partMemory(workload, placement, kind);
    known.set(kind, memory);
    return memory;
  };
  const kinds = recomputeOf(job);
  return {
    schedule,
    chunks: virtualPipeline,
    stages: layout.pipelineParallel,
    microBatches: job.training.globalBatchSize / layout.dataParallel / microBatchSize,
    p2pMs: 0,
    memoryBytes:
      job.cluster.memoryLimit === undefined ? NO_LIMIT : memoryLimitBytes(workload.cluster),
    starts: startsOf(job.layout === "auto" ? undefined : job.layout.stages),
    layers: layers.map((layer, index) => {
      const isLast = index === layers.length - 1;
      const works: Work[] = isLast ? [layer, head] : [layer];
      const own = memoryOf(workload.model.layers[index]?.kind ?? "moe");
      const around = [
        ...(index === 0 ? [memoryOf("embedding")] : []),
        ...(isLast ? [memoryOf("head")] : []),
      ];
      return {
        name: `layer ${index}`,
        forwardMs: sum(works.map(({ forward }) => forward)),
        backwardMs: sum(works.map(({ backward }) => backward)),
        weightGradMs: sum(works.map(({ weightGrad }) => weightGrad)),
        staticBytes: sum([own, ...around].map(({ staticBytes }) => staticBytes)),
        options: (kinds[index] ?? []).map((kind) => ({
          name: kind,
          extraBackwardMs: layer.recompute[kind],
          ...bytesOf(own, around, kind),
        })),
      };
    }),
  };
}

/** First layer of each stage, and the number of layers. */
export function startsOf(layersPerStage: readonly number[] | undefined): number[] | undefined {
  if (layersPerStage === undefined) return undefined;
  const starts = [0];
  for (const count of layersPerStage) starts.push((starts.at(-1) as number) + count);
  return starts;
}

/** What stands around a layer is never recomputed. */
function bytesOf(own: PartMemory, around: readonly PartMemory[], kind: RecomputeKind) {
  return {
    activationBytes:
      own.activationBytes[kind] + sum(around.map(({ activationBytes }) => activationBytes.none)),
    workspaceBytes: Math.max(
      own.workspaceBytes[kind],
      ...around.map(({ workspaceBytes }) => workspaceBytes.none),
    ),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
