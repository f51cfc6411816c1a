import type { PlanDocument } from "../plan-document.ts";
import { timeline1F1B } from "../schedule/timeline-1f1b.ts";
import type { Chart, ChartBlock } from "./chart.ts";

const OPTIMIZER_MS = 20;

/**
 * The step of a fixture's plan under 1F1B, with an optimizer at its end on all
 * ranks at once. The fixture's predicted figures are round, so the chart's span
 * comes from its passes.
 */
export function makeChart({ best: { stages, layout } }: PlanDocument): Chart {
  const passes = timeline1F1B(stages, layout.numMicroBatches, 0);
  const endMs = Math.max(...passes.flat().map((pass) => pass.endMs));
  const optimizer: ChartBlock = {
    kind: "optimizer",
    chunk: 0,
    microBatch: -1,
    startMs: endMs,
    endMs: endMs + OPTIMIZER_MS,
    recomputeMs: 0,
  };
  return {
    spanMs: endMs + OPTIMIZER_MS,
    ranks: stages.map(({ stage, staticBytes, activationBytes, recomputeMs }) => {
      const own = passes[stage] ?? [];
      let bytes = staticBytes;
      const memory = own.map((pass) => {
        bytes += pass.kind === "forward" ? activationBytes : -activationBytes;
        return { atMs: pass.kind === "forward" ? pass.startMs : pass.endMs, bytes };
      });
      const blocks = own.map(({ stage: _, ...pass }): ChartBlock => {
        return { ...pass, chunk: 0, recomputeMs: pass.kind === "backward" ? recomputeMs : 0 };
      });
      return {
        rank: stage,
        blocks: [...blocks, optimizer],
        memory: [{ atMs: 0, bytes: staticBytes }, ...memory],
      };
    }),
  };
}
