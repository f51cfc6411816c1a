import { formatDuration } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import { card } from "../../report/sections/card.ts";
import type { PlanDocument } from "../plan-document.ts";
import { BLOCK_KINDS, type Chart } from "./chart.ts";

const KEYS = [
  ["forward", "forward"],
  ["backward", "backward"],
  ["weight-grad", "weight gradient"],
  ["recompute", "recompute"],
  ["optimizer", "optimizer"],
  ["memory", "memory"],
] as const;

/** The canvas and its controls; the page's script draws. */
export function scheduleCard({ best: { layout } }: PlanDocument, chart: Chart): Html {
  return card({
    id: "schedule",
    title: "Schedule and memory",
    wide: true,
    lead: `One step of ${formatDuration(chart.spanMs)}: a row for each of ${layout.pipelineParallel} pipeline ranks, its memory under it, with its peak, up to the GPU's limit (dashed). Numbers are micro-batches; zoom in to see each, drag to move.`,
    body: html`<div class="controls"><div class="legend" aria-hidden="true">${KEYS.map(([style, name]) => html`<span class="entry"><span class="key ${style}"></span>${name}</span>`)}</div>
<div class="zoom"><button type="button" data-zoom="in" aria-label="Zoom in">+</button><button type="button" data-zoom="out" aria-label="Zoom out">−</button><button type="button" data-zoom="all">Whole step</button></div></div>
<canvas id="schedule-canvas" data-own-tip tabindex="0" role="img" aria-label="Pipeline schedule of ${chart.ranks.length} ranks over ${formatDuration(chart.spanMs)}; arrow keys move, plus and minus zoom"></canvas>`,
  });
}

/** What the page's script gets; times in microseconds, to keep the page small. */
export function scheduleData({ best: { predicted } }: PlanDocument, chart: Chart) {
  const us = (ms: number) => Math.round(ms * 1000);
  return {
    spanUs: us(chart.spanMs),
    limitBytes: predicted.memoryLimitBytes,
    ranks: chart.ranks.map(({ rank, blocks, memory }) => ({
      rank,
      /** kind, chunk, micro-batch, start, end, recompute; by start. */
      blocks: blocks.map((block) => [
        BLOCK_KINDS.indexOf(block.kind),
        block.chunk,
        block.microBatch,
        us(block.startMs),
        us(block.endMs),
        us(block.recomputeMs),
      ]),
      memory: memory.map(({ atMs, bytes }) => [us(atMs), Math.round(bytes)]),
    })),
  };
}
