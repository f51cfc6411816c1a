import type { PlanDocument } from "../plan-document.ts";
import { simulate1F1B } from "../schedule/simulate.ts";
import type { Chart, ChartBlock } from "./chart.ts";

const OPTIMIZER_MS = 20;

/** The step of a fixture's plan under 1F1B, with an optimizer at its end. */
export function makeChart({ best: { stages, layout } }: PlanDocument): Chart {
  const blocks: ChartBlock[][] = stages.map(() => []);
  const spanMs = simulate1F1B(
    stages.map(({ forwardMs, backwardMs }) => ({ forward: forwardMs, backward: backwardMs })),
    layout.numMicroBatches,
    ({ stage, kind, microBatch, start, end }) => {
      blocks[stage]?.push({
        kind,
        chunk: 0,
        microBatch,
        startMs: start,
        endMs: end,
        recomputeMs: kind === "backward" ? (stages[stage]?.recomputeMs ?? 0) : 0,
      });
    },
  );
  return {
    spanMs: spanMs + OPTIMIZER_MS,
    ranks: stages.map(({ stage, staticBytes, activationBytes }) => {
      let bytes = staticBytes;
      const own = blocks[stage] ?? [];
      const memory = own.map(({ kind, startMs, endMs }) => {
        bytes += kind === "forward" ? activationBytes : -activationBytes;
        return { atMs: kind === "forward" ? startMs : endMs, bytes };
      });
      const optimizer: ChartBlock = {
        kind: "optimizer",
        chunk: 0,
        microBatch: -1,
        startMs: spanMs,
        endMs: spanMs + OPTIMIZER_MS,
        recomputeMs: 0,
      };
      return {
        rank: stage,
        blocks: [...own, optimizer],
        memory: [{ atMs: 0, bytes: staticBytes }, ...memory],
      };
    }),
  };
}
