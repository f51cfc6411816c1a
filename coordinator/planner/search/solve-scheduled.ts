import type { RecomputeKind } from "../cost/workload.ts";
import type { PartitionUnfit } from "../partition/problem.ts";
import { solveSchedule } from "../schedule/best-schedule.ts";
import type { ScheduleProblem, ScheduleSolution } from "../schedule/schedule-problem.ts";
import type { SolvedStage } from "./solve-candidate.ts";

/** Passes to simulate for one candidate of a search, some 5 ms. */
const PASSES_OF_CANDIDATE = 15_000;

const PATIENCE_OF_CANDIDATE = 2;

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
 * @param boundMs what no split beats, where it is known
 * @param maxPasses simulated passes; a search's default when absent
 */
export function solveScheduled(
  problem: ScheduleProblem,
  boundMs: number | undefined,
  maxPasses?: number,
): ScheduledStages | PartitionUnfit {
  const effort =
    maxPasses === undefined
      ? { maxPasses: PASSES_OF_CANDIDATE, patience: PATIENCE_OF_CANDIDATE }
      : { maxPasses };
  const solution = solveSchedule(problem, { ...effort, boundMs });
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
