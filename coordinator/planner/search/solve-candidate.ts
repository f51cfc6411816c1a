import { memoryLimitBytes } from "../cost/memory/memory-limit.ts";
import type { PartParameters, RecomputeKind } from "../cost/workload.ts";
import { evaluateSplit } from "../partition/evaluate-split.ts";
import { evenSplit } from "../partition/pipeline.ts";
import type { PartitionProblem, PartitionSolution, PartitionUnfit } from "../partition/problem.ts";
import {
  type PartitionCut,
  type SolveOptions,
  solvePartitionUnder,
} from "../partition/solve-partition.ts";
import type { ScheduleName } from "../plan-document.ts";
import { makespan1F1B } from "../schedule/simulate-1f1b.ts";
import type { Candidate, PartCost } from "./candidate.ts";
import type { Constraints } from "./constraints.ts";
import type { ModelPart, ModelParts } from "./model-parts.ts";
import { overheadMs } from "./overhead.ts";

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
  /** Virtual stages, first to last. */
  stages: SolvedStage[];
  /** Pipeline alone. */
  simulatedMs: number;
  boundMs: number;
  gap: number;
  limitBytes: number;
  /** Simulated pipeline and what follows it. */
  stepTimeMs: number;
}

export interface SolveCandidateOptions extends SolveOptions {
  /** Pipelines that take longer are not wanted. */
  cutoffMs?: number | undefined;
}

/** The best stages and recompute of a candidate under a schedule. */
export function solveCandidate(
  candidate: Candidate,
  parts: ModelParts,
  constraints: Constraints,
  schedule: ScheduleName,
  options: SolveCandidateOptions = {},
): Solved | PartitionUnfit | PartitionCut {
  const { cutoffMs = Number.POSITIVE_INFINITY, ...limits } = options;
  const limitBytes = memoryLimitBytes(candidate.workload.cluster, constraints.reserveBytes);
  const problem = partitionProblem(candidate, parts, constraints, limitBytes);
  const fixed = fixedStages(parts, constraints, problem.stages);
  const solution =
    fixed === undefined
      ? solvePartitionUnder(problem, cutoffMs, limits)
      : evaluateSplit(problem, fixed);
  if (!("stages" in solution)) return solution;
  const stages = solvedStages(solution);
  const { simulatedMs, boundMs, gap } = solution;
  const stepTimeMs = simulatedMs + largestOverheadMs(candidate, parts, stages);
  return { candidate, parts, schedule, stages, simulatedMs, boundMs, gap, limitBytes, stepTimeMs };
}

function solvedStages(solution: PartitionSolution): SolvedStage[] {
  return solution.stages.map(({ layers: [first, last], recompute, inFlightMicroBatches }) => ({
    from: first,
    to: last + 1,
    recompute: recompute as RecomputeKind[],
    inFlightMicroBatches,
  }));
}

/** The candidate as `moestro partition` would get it. */
export function partitionProblem(
  { placement, classCosts, numMicroBatches, p2pMs }: Candidate,
  { parts }: ModelParts,
  constraints: Constraints,
  memoryBytes: number,
): PartitionProblem {
  return {
    stages: placement.pipelineParallel,
    microBatches: numMicroBatches,
    p2pMs,
    memoryBytes,
    layers: parts.map((part) => {
      const cost = classCosts[part.class] as PartCost;
      return {
        name: part.name,
        forwardMs: cost.forwardMs,
        backwardMs: cost.backwardMs,
        weightGradMs: cost.weightGradMs,
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

/** Parts of each stage, when the split is not free. */
function fixedStages(
  { parts }: ModelParts,
  { layersPerStage, evenStages }: Constraints,
  numStages: number,
): number[] | undefined {
  const numLayers = parts.filter(({ layer }) => layer !== undefined).length;
  const split = evenStages === true ? evenSplit(numLayers, numStages) : layersPerStage;
  if (split === undefined) return undefined;
  const behind = parts.length - numLayers;
  return split.map((count, stage) => (stage === split.length - 1 ? count + behind : count));
}

/** Forward and backward of each virtual stage, with what of it is not plain compute. */
export function stageTimes({
  candidate,
  parts,
  stages,
}: Pick<Solved, "candidate" | "parts" | "stages">) {
  return stages.map(({ from, to, recompute }) => {
    const time = {
      forwardMs: 0,
      backwardMs: 0,
      recomputeMs: 0,
      forwardCommunicationMs: 0,
      backwardCommunicationMs: 0,
    };
    for (let index = from; index < to; index++) {
      const cost = costOf(candidate, parts, index);
      const extra = cost.recomputeMs[recompute[index - from] ?? "none"];
      time.forwardMs += cost.forwardMs;
      time.backwardMs += cost.backwardMs + extra;
      time.recomputeMs += extra;
      time.forwardCommunicationMs += cost.forwardCommunicationMs;
      time.backwardCommunicationMs += cost.backwardCommunicationMs;
    }
    return time;
  });
}

/** The cost of one part. */
export function costOf(candidate: Candidate, { parts }: ModelParts, index: number): PartCost {
  return candidate.classCosts[(parts[index] as ModelPart).class] as PartCost;
}

/** The step of the same stages under another candidate's costs. */
export function retime(solved: Solved, candidate: Candidate): number {
  const { parts, stages } = solved;
  const pipelineMs = simulateStages(
    stageTimes({ candidate, parts, stages }),
    candidate.numMicroBatches,
    candidate.p2pMs,
  );
  return pipelineMs + largestOverheadMs(candidate, parts, stages);
}

/** Makespan of stages under 1F1B. */
export function simulateStages(
  times: readonly { forwardMs: number; backwardMs: number }[],
  numMicroBatches: number,
  p2pMs: number,
): number {
  const forward = times.map(({ forwardMs }) => forwardMs);
  const backward = times.map(({ backwardMs }) => backwardMs);
  return makespan1F1B(forward, backward, numMicroBatches, p2pMs);
}

/** What the rank with most to do once a step does behind its last micro-batch. */
function largestOverheadMs(
  candidate: Candidate,
  parts: ModelParts,
  stages: readonly SolvedStage[],
): number {
  const each = stages.map(({ from, to }) => {
    const sum: PartParameters = { dense: 0, expert: 0 };
    for (let index = from; index < to; index++) {
      const { parameters } = costOf(candidate, parts, index);
      sum.dense += parameters.dense;
      sum.expert += parameters.expert;
    }
    return overheadMs(candidate.workload, candidate.placement, sum);
  });
  return Math.max(...each);
}
