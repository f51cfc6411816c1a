import type { RecomputeKind } from "../cost/workload.ts";
import { evaluateSplit } from "../partition/evaluate-split.ts";
import type { PartitionSolution, PartitionUnfit } from "../partition/problem.ts";
import {
  type PartitionCut,
  type SolveOptions,
  solvePartitionUnder,
} from "../partition/solve-partition.ts";
import type { ScheduleName } from "../plan-document.ts";
import type { ScheduleProblem } from "../schedule/schedule-problem.ts";
import type { SolvedStage } from "./solve-candidate.ts";
import { type ScheduledStages, solveScheduled } from "./solve-scheduled.ts";

export interface SolveStagesOptions extends SolveOptions {
  /** Pipelines that take longer are not wanted; under 1F1B. */
  cutoffMs?: number | undefined;
  /** Pipelines cannot take less; for schedules other than 1F1B. */
  boundMs?: number | undefined;
  /** Passes to simulate under schedules other than 1F1B. */
  maxPasses?: number | undefined;
}

/** Without a pipeline every schedule is the same. */
export function is1F1B(schedule: ScheduleName, pipelineParallel: number): boolean {
  return schedule === "1f1b" || pipelineParallel === 1;
}

/** Stages and recompute of a problem: exact under 1F1B, by local search under other schedules. */
export function solveStages(
  problem: ScheduleProblem,
  options: SolveStagesOptions = {},
): ScheduledStages | PartitionUnfit | PartitionCut {
  const { cutoffMs = Number.POSITIVE_INFINITY, boundMs, maxPasses, ...limits } = options;
  return is1F1B(problem.schedule, problem.stages)
    ? solved1F1B(problem, cutoffMs, limits)
    : solveScheduled(problem, boundMs, maxPasses);
}

function solved1F1B(
  problem: ScheduleProblem,
  cutoffMs: number,
  limits: SolveOptions,
): ScheduledStages | PartitionUnfit | PartitionCut {
  const solution =
    problem.starts === undefined
      ? solvePartitionUnder(problem, cutoffMs, limits)
      : evaluateSplit(problem, countsOf(problem.starts));
  if (!("stages" in solution)) return solution;
  const { simulatedMs, boundMs, gap } = solution;
  const memoryBytesOfRank = solution.stages.map(({ memoryBytes }) => memoryBytes);
  return { stages: solvedStages(solution), simulatedMs, boundMs, gap, memoryBytesOfRank };
}

function countsOf(starts: readonly number[]): number[] {
  return starts.slice(1).map((end, stage) => end - (starts[stage] as number));
}

function solvedStages(solution: PartitionSolution): SolvedStage[] {
  return solution.stages.map(({ layers: [first, last], recompute, inFlightMicroBatches }) => ({
    from: first,
    to: last + 1,
    recompute: recompute as RecomputeKind[],
    inFlightMicroBatches,
  }));
}
