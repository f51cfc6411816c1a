import { byRank, stageName } from "../chunks.ts";
import { formatBytes, formatFixed } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { RunFiles } from "../read-run.ts";
import { balance, type StageFigures, stageFigures } from "../stage-figures.ts";
import { card, nothing } from "./card.ts";

/** Each stage's predicted and measured work, side by side. */
export function stageBalance({ plan, metrics }: RunFiles): Html {
  const stages = stageFigures(plan, metrics);
  if (stages.length === 0) {
    return card({
      id: "balance",
      title: "Stage balance",
      wide: true,
      body: nothing("No step was measured, so stages cannot be compared."),
    });
  }
  // Chunks of a rank work one after the other.
  const ranks = byRank(plan, stages);
  const measured = balance(
    ranks.map(({ entries }) => entries.reduce((sum, { computeMs }) => sum + computeMs, 0)),
  );
  const predicted = plan?.prediction?.balance ?? Number.NaN;
  const longest = Math.max(
    ...stages.map((stage) => stage.computeMs + stage.communicationMs),
    ...stages.map((stage) => (Number.isFinite(stage.predictedMs) ? stage.predictedMs : 0)),
    Number.EPSILON,
  );
  return card({
    id: "balance",
    title: "Stage balance",
    lead: `Work of one step, median after warm-up. Balance, mean over slowest: ${formatFixed(predicted, 3)} predicted, ${formatFixed(measured, 3)} measured.`,
    body: html`<div class="legend" aria-hidden="true"><span class="key predicted"></span>predicted<span class="key compute"></span>compute<span class="key communication"></span>communication</div>
<div class="bars">${stages.map((stage) => bars(stage, stageName(plan, stage.stage), longest))}</div>`,
  });
}

function bars(stage: StageFigures, name: string, longest: number): Html {
  const width = (ms: number) => (Number.isFinite(ms) ? ((ms / longest) * 100).toFixed(2) : "0");
  const ms = (value: number) => `${formatFixed(value, 1)} ms`;
  const predictedPeak = Number.isFinite(stage.predictedPeakBytes)
    ? ` of ${formatBytes(stage.predictedPeakBytes)} predicted for the rank`
    : "";
  const predictedTip = `${name}, predicted compute: ${ms(stage.predictedMs)}, its share of the plan's FLOPs`;
  const computeTip = `${name}, measured compute: ${ms(stage.computeMs)}`;
  const communicationTip = `${name}, measured communication: ${ms(stage.communicationMs)}`;
  return html`<div class="stage"><h3>${name.replace("stage", "Stage")}</h3>
<div class="bar"><i class="predicted" style="width:${width(stage.predictedMs)}%" data-tip="${predictedTip}"></i></div>
<div class="bar"><i class="compute" style="width:${width(stage.computeMs)}%" data-tip="${computeTip}"></i><i class="communication" style="width:${width(stage.communicationMs)}%" data-tip="${communicationTip}"></i></div>
<p>${ms(stage.predictedMs)} predicted; ${ms(stage.computeMs)} compute and ${ms(stage.communicationMs)} communication measured; peak memory ${formatBytes(stage.peakBytes)}${predictedPeak}</p></div>
`;
}
