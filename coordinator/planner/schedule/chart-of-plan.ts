import type { Chart, ChartBlock, ChartRank } from "../export/chart.ts";
import type { PlanChoice } from "../plan-document.ts";
import { cachedTable } from "./cached-table.ts";
import { simulateSchedule } from "./event-simulator.ts";
import { costsOfStage } from "./stage-costs.ts";
import type { ScheduleTable } from "./table.ts";
import type { TimelinePass } from "./timeline.ts";

const BLOCK_OF = {
  F: "forward",
  B: "backward",
  I: "backward",
  W: "weight-grad",
  optimizer: "optimizer",
} as const;

/** A plan's step as a picture shows it: passes and memory of each pipeline rank. */
export function chartOfPlan({ layout, stages, predicted }: PlanChoice): Chart {
  const { pipelineParallel, virtualPipeline, numMicroBatches } = layout;
  const table = cachedTable({
    schedule: pipelineParallel === 1 ? "1f1b" : layout.schedule,
    numRanks: pipelineParallel,
    numMicroBatches,
    chunksPerRank: virtualPipeline,
  });
  const { optimizerMs } = predicted.breakdown;
  const costs = stages.map(costsOfStage);
  const timeline = simulateSchedule(table, costs, { p2pMs: predicted.hopMs, optimizerMs });
  return {
    spanMs: timeline.makespanMs,
    ranks: timeline.ranks.map(({ rank, passes, memory }): ChartRank => {
      return { rank, blocks: blocksOf(passes, table, rank), memory };
    }),
  };
}

/** Passes of a plan's chart, optimizer apart. */
export function numPassesOf({ layout, stages }: PlanChoice): number {
  const splits = layout.schedule === "zero-bubble" || layout.schedule === "dualpipev";
  return (splits ? 3 : 2) * stages.length * layout.numMicroBatches;
}

/** A pair that runs together is drawn as its forward and then its backward, each half as long. */
function blocksOf(
  passes: readonly TimelinePass[],
  { passes: order }: ScheduleTable,
  rank: number,
): ChartBlock[] {
  const own = order[rank] ?? [];
  return passes.map(({ kind, chunk, microBatch, startMs, endMs, recomputeMs }, index) => {
    const middle = (startMs + endMs) / 2;
    return {
      kind: BLOCK_OF[kind],
      chunk: Math.max(0, chunk),
      microBatch,
      startMs: own[index - 1]?.overlapsNext ? middle : startMs,
      endMs: own[index]?.overlapsNext ? middle : endMs,
      recomputeMs,
    };
  });
}
