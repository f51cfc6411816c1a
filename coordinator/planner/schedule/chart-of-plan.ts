import type { Chart, ChartBlock, ChartRank } from "../export/chart.ts";
import type { PlanChoice, PlannedStage } from "../plan-document.ts";
import { type TimedPass, timeline1F1B } from "./timeline-1f1b.ts";

/**
 * A plan's step as a picture shows it: passes and memory of each pipeline rank.
 * Undefined for schedules other than 1F1B.
 */
export function chartOfPlan({ layout, stages, predicted }: PlanChoice): Chart | undefined {
  if (layout.schedule !== "1f1b") return undefined;
  const passes = timeline1F1B(stages, layout.numMicroBatches, predicted.hopMs);
  const spanMs = predicted.stepTimeMs;
  const optimizerMs = predicted.breakdown.optimizerMs;
  const ranks = stages.map((stage, rank): ChartRank => {
    const own = passes[rank] ?? [];
    const end = own.at(-1)?.endMs ?? 0;
    const blocks = own.map((pass): ChartBlock => blockOf(pass, stage));
    if (optimizerMs > 0) {
      blocks.push({
        kind: "optimizer",
        chunk: 0,
        microBatch: -1,
        startMs: end,
        endMs: Math.min(spanMs, end + optimizerMs),
        recomputeMs: 0,
      });
    }
    return { rank, blocks, memory: memoryOf(own, stage) };
  });
  return { spanMs, ranks };
}

function blockOf({ kind, microBatch, startMs, endMs }: TimedPass, stage: PlannedStage): ChartBlock {
  const recomputeMs = kind === "backward" ? stage.recomputeMs : 0;
  return { kind, chunk: 0, microBatch, startMs, endMs, recomputeMs };
}

/** Activations come with a forward and go with its backward, which needs the workspace. */
function memoryOf(passes: readonly TimedPass[], stage: PlannedStage): ChartRank["memory"] {
  const { staticBytes, activationBytes, inFlightMicroBatches, memoryBytes } = stage;
  const workspace = memoryBytes - staticBytes - inFlightMicroBatches * activationBytes;
  const steps = [{ atMs: 0, bytes: staticBytes }];
  let kept = 0;
  for (const { kind, startMs, endMs } of passes) {
    if (kind === "forward") {
      kept++;
      steps.push({ atMs: startMs, bytes: staticBytes + kept * activationBytes });
    } else {
      steps.push({ atMs: startMs, bytes: staticBytes + kept * activationBytes + workspace });
      kept--;
      steps.push({ atMs: endMs, bytes: staticBytes + kept * activationBytes });
    }
  }
  return steps;
}
