import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatWhole,
} from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import type { PlanDocument } from "../plan-document.ts";

/** What is trained on what, and how it is laid out. */
export function planHeader(document: PlanDocument): Html {
  return html`<header>
<p class="brand">moestro plan</p>
<h1><bdi>${document.job}</bdi></h1>
<dl class="facts">${facts(document).map(([name, value]) => html`<div><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`)}</dl>
</header>
`;
}

function facts({ model, cluster, batch, best: { layout } }: PlanDocument): [string, string][] {
  const experts =
    model.experts > 0
      ? `, ${model.experts} experts (${model.topK} a token), ${formatCount(model.activeParameters)} active`
      : "";
  const capacity =
    model.experts === 0
      ? ""
      : batch.capacityFactor === "dropless"
        ? ", dropless"
        : `, capacity factor ${batch.capacityFactor}`;
  const chunks = layout.virtualPipeline > 1 ? ` × ${layout.virtualPipeline} chunks` : "";
  return [
    [
      "Model",
      `${model.name}: ${model.layers} layers, ${formatCount(model.totalParameters)} parameters${experts}`,
    ],
    [
      "Cluster",
      `${formatWhole(cluster.gpus)} ${cluster.name} GPUs, ${cluster.gpusPerNode} a node (${cluster.origin})`,
    ],
    [
      "Layout",
      `tensor ${layout.tensorParallel} · context ${layout.contextParallel} · pipeline ${layout.pipelineParallel}${chunks} · data ${layout.dataParallel}${model.experts === 0 ? "" : `; experts: ${layout.scheme}, parallel ${layout.expertParallel}, tensor ${layout.expertTensorParallel}, data ${layout.expertDataParallel}`}`,
    ],
    [
      "Schedule",
      `${layout.schedule}, ${layout.numMicroBatches} micro-batches of ${layout.microBatchSize}, optimizer sharding ${layout.optimizerSharding}`,
    ],
    [
      "Batch",
      `${formatWhole(batch.globalBatchSize)} sequences of ${formatWhole(batch.sequenceLength)} tokens, ${batch.precision}${capacity}`,
    ],
  ];
}

/** The predicted figures. */
export function planTiles({ best: { predicted, certificate } }: PlanDocument): Html {
  const peak = Math.max(...predicted.memoryBytesPerStage);
  const tiles = [
    ["Step", formatDuration(predicted.stepTimeMs), "predicted"],
    ["Throughput", formatWhole(predicted.tokensPerSecondPerGpu), "tokens a second and GPU"],
    ["MFU", formatPercent(predicted.mfu, 1), predicted.mfuConvention],
    ["Peak memory", formatBytes(peak), `of ${formatBytes(predicted.memoryLimitBytes)} on a GPU`],
    ["From the optimum", formatPercent(certificate.gap, 2), `at most; ${certificate.covers}`],
  ];
  return html`<section aria-label="Predicted figures"><dl class="tiles">
${tiles.map(([name, value, note]) => html`<div class="tile"><dt>${name}</dt><dd><b>${value}</b> <small>${note}</small></dd></div>\n`)}</dl></section>
`;
}
