import type { PlanChoice } from "../plan-document.ts";
import { table } from "../text-table.ts";
import { formatMs, gigabytes, signed } from "./figures.ts";

/** One row a choice; used for the best few and for `--compare`. */
export function comparison(choices: readonly PlanChoice[]): string[] {
  const [first] = choices;
  const rows = choices.map((choice) => {
    const { layout, predicted } = choice;
    const slower = first === undefined ? 1 : predicted.stepTimeMs / first.predicted.stepTimeMs;
    return [
      layout.scheme,
      String(layout.tensorParallel),
      String(layout.contextParallel),
      String(layout.pipelineParallel),
      String(layout.virtualPipeline),
      String(layout.dataParallel),
      String(layout.expertParallel),
      String(layout.expertTensorParallel),
      `${layout.microBatchSize}x${layout.numMicroBatches}`,
      layout.schedule,
      formatMs(predicted.stepTimeMs),
      choice === first ? "" : signed(slower - 1),
      predicted.tokensPerSecondPerGpu.toFixed(0),
      `${(100 * predicted.mfu).toFixed(1)} %`,
      gigabytes(Math.max(...predicted.memoryBytesPerStage)),
    ];
  });
  const heads = [
    "scheme",
    "tp",
    "cp",
    "pp",
    "vpp",
    "dp",
    "ep",
    "etp",
    "batch",
    "schedule",
    "step",
    "",
    "tok/s/gpu",
    "mfu",
    "memory",
  ];
  return table([heads, ...rows]);
}
