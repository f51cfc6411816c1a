import { stepOverhead } from "../cost/time/step-overhead.ts";
import type { PartParameters, Placement, Workload } from "../cost/workload.ts";

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
