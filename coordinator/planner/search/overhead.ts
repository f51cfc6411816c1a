import { stepOverhead } from "../cost/time/step-overhead.ts";
import type { PartParameters, Placement, Workload } from "../cost/workload.ts";
import type { Candidate, PartCost } from "./candidate.ts";
import type { ModelParts } from "./model-parts.ts";

/** What a rank with these parameters does once a step, behind its last micro-batch. */
export function overheadMs(
  workload: Workload,
  placement: Placement,
  parameters: PartParameters,
): number {
  const { gradientReduceMs, parameterGatherMs, optimizerMs, otherMs } = stepOverhead(
    workload,
    placement,
    parameters,
  );
  return gradientReduceMs + parameterGatherMs + optimizerMs + otherMs;
}

/** `overheadMs` where all ranks have as many weights; no split has less. */
export function meanOverheadMs(
  { workload, placement, classCosts }: Candidate,
  { classes }: ModelParts,
): number {
  const p = placement.pipelineParallel;
  let dense = 0;
  let expert = 0;
  for (const [index, { count }] of classes.entries()) {
    const { parameters } = classCosts[index] as PartCost;
    dense += count * parameters.dense;
    expert += count * parameters.expert;
  }
  return overheadMs(workload, placement, { dense: dense / p, expert: expert / p });
}
