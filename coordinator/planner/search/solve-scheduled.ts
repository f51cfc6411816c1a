import type { RecomputeKind } from "../cost/workload.ts";
import type { PartitionUnfit } from "../partition/problem.ts";
import { solveSchedule } from "../schedule/best-schedule.ts";
import type { ScheduleProblem, ScheduleSolution } from "../schedule/schedule-problem.ts";
import type { SolvedStage } from "./solve-candidate.ts";

/** Passes to simulate for one candidate of a search, some 5 ms. */
const PASSES_OF_CANDIDATE = 15_000;

export interface ScheduledStages {
  stages: SolvedStage[];
  simulatedMs: number;
  boundMs: number;
  gap: number;
  memoryBytesOfRank: readonly number[];
}

/**
 * Stages and recompute under a schedule other than 1F1B, by local search.
 *
 * @param fixed parts of each stage, where the split is not free
 * @param boundMs what no split beats, where it is known
 * @param maxPasses simulated passes; a search's default when absent
 */
export function solveScheduled(
  problem: ScheduleProblem,
  fixed: readonly number[] | undefined,
  boundMs: number | undefined,
  maxPasses = PASSES_OF_CANDIDATE,
): ScheduledStages | PartitionUnfit {
  const solution = solveSchedule(problem, {
    maxPasses,
    boundMs,
    starts: fixed === undefined ? undefined : startsOf(fixed),
  });
  return "missingBytes" in solution ? solution : scheduledStages(solution);
}

export function scheduledStages(solution: ScheduleSolution): ScheduledStages {
  const { simulatedMs, boundMs, gap, memoryBytesOfRank } = solution;
  const stages = solution.stages.map(
    ({ layers: [first, last], recompute, inFlightMicroBatches }): SolvedStage => ({
      from: first,
      to: last + 1,
      recompute: recompute as RecomputeKind[],
      inFlightMicroBatches,
    }),
  );
  return { stages, simulatedMs, boundMs, gap, memoryBytesOfRank };
}

function startsOf(counts: readonly number[]): number[] {
  const starts = [0];
  for (const count of counts) starts.push((starts.at(-1) as number) + count);
  return starts;
}
