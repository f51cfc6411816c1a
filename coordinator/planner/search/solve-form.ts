import type { Placement, Workload } from "../cost/workload.ts";
import type { PartitionUnfit } from "../partition/problem.ts";
import type { PartitionCut } from "../partition/solve-partition.ts";
import type { ScheduleName } from "../plan-document.ts";
import { type Candidate, costCandidate } from "./candidate.ts";
import type { CandidateBounds } from "./candidate-bounds.ts";
import type { Constraints } from "./constraints.ts";
import type { ModelParts } from "./model-parts.ts";
import { recomputeForms } from "./recompute-forms.ts";
import { type Solved, solveCandidate } from "./solve-candidate.ts";
import { is1F1B } from "./solve-stages.ts";

/** What all candidates of one search share. */
export interface SearchContext {
  workload: Workload;
  constraints: Constraints;
  parts: ModelParts;
  bounds: CandidateBounds;
}

/** Simulations of a candidate before it is known whether it can win. */
const QUICK_SIMULATIONS = 3;

/** Passes to simulate for the stages of the winner, some 50 ms. */
const PASSES_OF_WINNER = 500_000;

/** Forms of recompute; those of more layers than a chunk of equal ones has say the same as all. */
export function formsOf(
  { workload, constraints }: SearchContext,
  { pipelineParallel, virtualPipeline }: Placement,
  schedule: ScheduleName,
): Constraints[] {
  const numChunks = pipelineParallel * virtualPipeline;
  const mostLayers = 2 * Math.ceil(workload.model.layers.length / numChunks);
  return recomputeForms(constraints, schedule, mostLayers);
}

/**
 * Cuts a candidate into stages with one form of recompute, and with more care when
 * the quick answer may yet come under the time to beat.
 */
export function solveForm(
  context: SearchContext,
  candidate: Candidate,
  schedule: ScheduleName,
  form: Constraints,
  toBeatMs: number,
): Solved | PartitionUnfit | PartitionCut {
  const solved = solveQuickly(context, candidate, schedule, form, toBeatMs);
  if (!("stages" in solved)) return solved;
  const bestCaseMs = solved.stepTimeMs - (solved.simulatedMs - solved.boundMs);
  const isProvable = is1F1B(schedule, candidate.placement.pipelineParallel);
  const mayWin = isProvable && solved.gap > 0 && bestCaseMs < toBeatMs;
  if (!mayWin) return solved;
  const again = solveCandidate(candidate, context.parts, form, schedule);
  return "stages" in again && again.stepTimeMs <= solved.stepTimeMs ? again : solved;
}

/** The stages that few simulations find, unless they take longer than `cutoffMs`. */
export function solveQuickly(
  { parts, bounds }: SearchContext,
  candidate: Candidate,
  schedule: ScheduleName,
  form: Constraints,
  cutoffMs: number,
): Solved | PartitionUnfit | PartitionCut {
  const boundMs = bounds.pipelineMs(candidate, schedule);
  const limits = { cutoffMs, maxSimulations: QUICK_SIMULATIONS, boundMs };
  return solveCandidate(candidate, parts, form, schedule, limits);
}

/** The stages of the winner again, with more time for those that a local search finds. */
export function polished({ workload, parts }: SearchContext, solved: Solved): Solved {
  const { candidate, schedule, constraints } = solved;
  const { placement } = candidate;
  if (is1F1B(schedule, placement.pipelineParallel)) return solved;
  const uncosted = costCandidate(workload, placement, parts);
  const limits = { boundMs: solved.boundMs, maxPasses: PASSES_OF_WINNER };
  const again = solveCandidate(uncosted, parts, constraints, schedule, limits);
  return "stages" in again && again.stepTimeMs < solved.stepTimeMs ? again : solved;
}
