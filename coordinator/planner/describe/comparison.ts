import type { PlanChoice } from "../plan-document.ts";
import { table } from "../text-table.ts";
import { formatMs, gigabytes, signed } from "./figures.ts";

/** One row a choice; used for the best few and for `--compare`. A dense model has no scheme. */
export function comparison(choices: readonly PlanChoice[], hasExperts: boolean): string[] {
  const [first] = choices;
  const rows = choices.map((choice) => {
    const { layout, predicted } = choice;
    const slower = first === undefined ? 1 : predicted.stepTimeMs / first.predicted.stepTimeMs;
    return [
      ...(hasExperts ? [layout.scheme] : []),
      String(layout.tensorParallel),
      String(layout.contextParallel),
      String(layout.pipelineParallel),
      String(layout.virtualPipeline),
      String(layout.dataParallel),
      ...(hasExperts ? [layout.expertParallel, layout.expertTensorParallel].map(String) : []),
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
    ...(hasExperts ? ["scheme"] : []),
    "tp",
    "cp",
    "pp",
    "vpp",
    "dp",
    ...(hasExperts ? ["ep", "etp"] : []),
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
