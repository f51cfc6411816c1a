import type { Placement, Workload } from "../cost/workload.ts";
import { whyNotRunnable } from "../layout/engine-capabilities.ts";
import type { ScheduleName } from "../plan-document.ts";
import { whyNotTorchSchedule } from "../schedule/torch-schedules.ts";
import type { Target } from "./constraints.ts";

type Arranged = Placement & { schedule: ScheduleName };

/**
 * Why a layout cannot be said in a target's configuration, or nothing. What our
 * own engine runs is kept in layout/engine-capabilities.ts.
 */
export function whyNotExpressible(
  target: Target,
  layout: Arranged,
  workload: Workload,
): string | undefined {
  switch (target) {
    case "any":
      return undefined;
    case "moestro":
      return whyNotMoestro(layout, workload);
    case "megatron":
      return layout.schedule === "1f1b" || layout.schedule === "interleaved"
        ? undefined
        : `Megatron-Core has no schedule ${layout.schedule}`;
    case "torchtitan":
      return whyNotTorchtitan(layout, workload);
  }
}

function whyNotTorchtitan(layout: Arranged, workload: Workload): string | undefined {
  if (layout.expertTensorParallel !== 1) {
    return "torchtitan splits no expert (expertTensorParallel must be 1)";
  }
  const isWhole = layout.pipelineParallel === 1 && layout.contextParallel === 1;
  if (workload.model.mtpLayers > 0 && !isWhole) {
    return "torchtitan runs multi-token prediction neither in a pipeline nor with context parallelism";
  }
  const numMicroBatches = workload.globalBatchSize / layout.dataParallel / layout.microBatchSize;
  return whyNotTorchSchedule(layout.schedule, layout.pipelineParallel, numMicroBatches);
}

function whyNotMoestro(layout: Arranged, workload: Workload): string | undefined {
  const { globalBatchSize, optimizerSharding } = workload;
  const numMicroBatches = globalBatchSize / layout.dataParallel / layout.microBatchSize;
  // Recompute is chosen behind the layout, among what its schedule can have.
  const run = { ...layout, numMicroBatches, optimizerSharding, recompute: [] };
  return whyNotRunnable(run)?.message;
}
