import { memoryLimitBytes } from "../cost/memory/memory-limit.ts";
import type { RecomputeKind } from "../cost/workload.ts";
import { evenSplit } from "../partition/pipeline.ts";
import type { PartitionUnfit } from "../partition/problem.ts";
import type { PartitionCut } from "../partition/solve-partition.ts";
import type { ScheduleName } from "../plan-document.ts";
import type { ScheduleProblem } from "../schedule/schedule-problem.ts";
import type { Candidate, PartCost } from "./candidate.ts";
import type { Constraints } from "./constraints.ts";
import { lighterStages } from "./lighter-stages.ts";
import type { ModelPart, ModelParts } from "./model-parts.ts";
import { costsUnder } from "./scheduled-costs.ts";
import type { ScheduledStages } from "./solve-scheduled.ts";
import { is1F1B, type SolveStagesOptions, solveStages } from "./solve-stages.ts";
import { largestOverheadMs } from "./stage-costs.ts";

/** Parts `[from, to)` on one virtual stage, and what each recomputes. */
export interface SolvedStage {
  from: number;
  to: number;
  recompute: RecomputeKind[];
  inFlightMicroBatches: number;
}

/** A candidate cut into stages. */
export interface Solved {
  candidate: Candidate;
  parts: ModelParts;
  schedule: ScheduleName;
  /** What its stages had to keep to. */
  constraints: Constraints;
  /** Virtual stages, first to last. */
  stages: SolvedStage[];
  /** Pipeline alone. */
  simulatedMs: number;
  boundMs: number;
  gap: number;
  limitBytes: number;
  /** Most that each pipeline rank holds. */
  memoryBytesOfRank: readonly number[];
  /** Simulated pipeline and what follows it. */
  stepTimeMs: number;
}

/** The best stages and recompute of a candidate under a schedule. */
export function solveCandidate(
  candidate: Candidate,
  parts: ModelParts,
  constraints: Constraints,
  schedule: ScheduleName,
  options: SolveStagesOptions = {},
): Solved | PartitionUnfit | PartitionCut {
  const costed = costsUnder(schedule, candidate);
  const { pipelineParallel } = candidate.placement;
  const limitBytes = memoryLimitBytes(candidate.workload.cluster, constraints.reserveBytes);
  const problem = partitionProblem(costed, parts, constraints, schedule);
  const solution = solveStages(problem, options);
  if (!("stages" in solution)) return solution;
  const uncut = { candidate: costed, parts, schedule, constraints, limitBytes };
  const solved = solvedFrom(uncut, solution);
  const isFree = problem.starts === undefined && pipelineParallel > 1;
  if (!isFree || !is1F1B(schedule, pipelineParallel)) return solved;
  return lighterStages(solved, (mostStaticBytes, limitMs) => {
    const lighter = solveStages({ ...problem, mostStaticBytes }, { ...options, cutoffMs: limitMs });
    return "stages" in lighter ? solvedFrom(uncut, lighter) : undefined;
  });
}

/** A candidate, costed under its schedule, with these stages. */
export function solvedFrom(
  uncut: Omit<Solved, keyof ScheduledStages | "stepTimeMs">,
  solution: ScheduledStages,
): Solved {
  const staged = { ...uncut, ...solution };
  return { ...staged, stepTimeMs: solution.simulatedMs + largestOverheadMs(staged) };
}

/** The candidate as `moestro partition` would get it, and the order of its passes. */
export function partitionProblem(
  { placement, classCosts, numMicroBatches, p2pMs, workload }: Candidate,
  modelParts: ModelParts,
  constraints: Constraints,
  schedule: ScheduleName,
): ScheduleProblem {
  const numStages = placement.pipelineParallel * placement.virtualPipeline;
  return {
    schedule,
    chunks: placement.virtualPipeline,
    stages: placement.pipelineParallel,
    microBatches: numMicroBatches,
    p2pMs,
    memoryBytes: memoryLimitBytes(workload.cluster, constraints.reserveBytes),
    recomputeFirst: constraints.recomputeFirst,
    starts: fixedStarts(modelParts, constraints, numStages),
    layers: modelParts.parts.map((part) => {
      const cost = classCosts[part.class] as PartCost;
      return {
        name: part.name,
        forwardMs: cost.forwardMs,
        backwardMs: cost.backwardMs,
        weightGradMs: cost.weightGradMs,
        forwardCommunicationMs: cost.forwardCommunicationMs,
        backwardCommunicationMs: cost.backwardCommunicationMs,
        staticBytes: cost.staticBytes,
        options: kindsOf(part, constraints).map((kind) => ({
          name: kind,
          extraBackwardMs: cost.recomputeMs[kind],
          activationBytes: cost.activationBytes[kind],
          workspaceBytes: cost.workspaceBytes[kind],
        })),
      };
    }),
  };
}

/** What a part may recompute; the head alone has nothing to gain. */
function kindsOf(part: ModelPart, constraints: Constraints): readonly RecomputeKind[] {
  if (part.layer === undefined) return ["none"];
  const fixed = constraints.recomputePerLayer?.[part.layer];
  return fixed === undefined ? constraints.recompute : [fixed];
}

/** First part of each stage, and the number of parts, when the split is not free. */
function fixedStarts(
  { parts }: ModelParts,
  { layersPerStage, evenStages }: Constraints,
  numStages: number,
): number[] | undefined {
  const numLayers = parts.filter(({ layer }) => layer !== undefined).length;
  const split = evenStages === true ? evenSplit(numLayers, numStages) : layersPerStage;
  if (split === undefined) return undefined;
  const starts = [0];
  for (const count of split) starts.push((starts.at(-1) as number) + count);
  // What has no layer lies behind the last one.
  starts[split.length] = parts.length;
  return starts;
}
