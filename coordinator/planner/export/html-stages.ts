import { formatBytes, formatDuration, formatPercent } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import { card } from "../../report/sections/card.ts";
import type { PlanDocument, PlannedStage } from "../plan-document.ts";

/** Every stage: what it holds, what it recomputes, how long it takes and what it keeps. */
export function stagesCard({ best: { stages, layout, predicted } }: PlanDocument): Html {
  const chunked = layout.virtualPipeline > 1;
  return card({
    id: "stages",
    title: "Stages",
    wide: true,
    lead: "Times are of one micro-batch, backward with its recompute; memory is the peak while the most micro-batches are alive.",
    body: html`<div class="scroll" tabindex="0" role="group" aria-label="Stages of the plan"><table>
<thead><tr><th>Stage</th>${chunked ? html`<th>Rank, chunk</th>` : ""}<th>Layers</th><th>Also holds</th><th>Recomputed</th><th>Forward</th><th>Backward</th><th>Alive</th><th>Memory</th></tr></thead>
<tbody>${stages.map((stage) => row(stage, chunked, predicted.memoryLimitBytes))}</tbody></table></div>`,
  });
}

function row(stage: PlannedStage, chunked: boolean, limitBytes: number): Html {
  const { layers } = stage;
  const range = layers === null ? "–" : `${layers[1] - layers[0] + 1} (${layers[0]}–${layers[1]})`;
  const extras = [
    ...(stage.hasEmbedding ? ["embedding"] : []),
    ...(stage.mtpLayers > 0 ? [`${stage.mtpLayers} MTP`] : []),
    ...(stage.hasHead ? ["head and loss"] : []),
  ];
  const share = formatPercent(stage.memoryBytes / limitBytes, 0);
  return html`<tr><th scope="row">${stage.stage}</th>${chunked ? html`<td>${stage.pipelineRank}, ${stage.chunk}</td>` : ""}<td>${range}</td><td>${extras.join(", ") || "–"}</td><td>${recomputed(stage)}</td><td>${formatDuration(stage.forwardMs)}</td><td>${formatDuration(stage.backwardMs)}</td><td>${stage.inFlightMicroBatches}</td><td>${formatBytes(stage.memoryBytes)} <small>${share}</small></td></tr>\n`;
}

function recomputed({ recompute }: PlannedStage): string {
  const count = (kind: string) => recompute.filter((one) => one === kind).length;
  const parts = [
    ...(count("full") > 0 ? [`${count("full")} full`] : []),
    ...(count("selective") > 0 ? [`${count("selective")} selective`] : []),
  ];
  return parts.length === 0 ? "none" : parts.join(", ");
}
