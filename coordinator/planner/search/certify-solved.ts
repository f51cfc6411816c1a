import { certifySchedule } from "../schedule/certify-schedule.ts";
import { partitionProblem, type Solved, solvedFrom } from "./solve-candidate.ts";
import { scheduledStages } from "./solve-scheduled.ts";
import { is1F1B } from "./solve-stages.ts";
import { tableOfSolved } from "./stage-costs.ts";

/** Passes of a step beyond which the programme no longer fits the solver's memory. */
const MOST_PASSES = 20_000;

export interface CertifyLimits {
  timeLimitSeconds: number;
}

/**
 * Stages of a solved candidate with the tightest bound there is: HiGHS looks for
 * better ones and raises the bound. What 1F1B has is exact already.
 *
 * @returns why it cannot be certified, in a few words, beside the candidate as it was
 */
export async function certifySolved(
  solved: Solved,
  { timeLimitSeconds }: CertifyLimits,
): Promise<{ solved: Solved; obstacle?: string | undefined }> {
  const { candidate, parts, schedule, constraints, boundMs } = solved;
  if (is1F1B(schedule, candidate.placement.pipelineParallel)) return { solved };
  const passes = tableOfSolved(solved).passes.reduce((sum, own) => sum + own.length, 0);
  if (passes > MOST_PASSES) {
    const obstacle = `a step of ${passes} passes is more than the ${MOST_PASSES} that the solver has memory for`;
    return { solved, obstacle };
  }
  if (constraints.recomputeFirst !== undefined) {
    return { solved, obstacle: "the programme has no block recompute" };
  }
  const problem = partitionProblem(candidate, parts, constraints, schedule);
  const solution = await certifySchedule(problem, { timeLimitSeconds, boundMs });
  if ("missingBytes" in solution) return { solved };
  const certified = solvedFrom(solved, scheduledStages(solution));
  // The search had more time for its stages than the certificate's own start.
  if (certified.simulatedMs <= solved.simulatedMs) return { solved: certified };
  const better = Math.min(solved.simulatedMs, Math.max(boundMs, certified.boundMs));
  const gap = (solved.simulatedMs - better) / solved.simulatedMs;
  return { solved: { ...solved, boundMs: better, gap } };
}
