import { formatDuration, formatPercent } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import { card } from "../../report/sections/card.ts";
import type { PlanDocument, Predicted } from "../plan-document.ts";

const PARTS: { key: keyof Predicted["breakdown"]; name: string; style: string }[] = [
  { key: "computeMs", name: "compute", style: "compute" },
  { key: "recomputeMs", name: "recompute", style: "recompute" },
  { key: "communicationMs", name: "communication", style: "communication" },
  { key: "optimizerMs", name: "optimizer", style: "optimizer" },
  { key: "idealBubbleMs", name: "bubble: ideal", style: "bubble ideal" },
  { key: "imbalanceBubbleMs", name: "bubble: imbalance", style: "bubble imbalance" },
  { key: "recomputeBubbleMs", name: "bubble: recompute", style: "bubble recomputed" },
  { key: "communicationBubbleMs", name: "bubble: communication", style: "bubble waiting" },
];

/** Where the step's time goes on the mean rank: one bar, and its parts in words. */
export function breakdownCard({ best: { predicted } }: PlanDocument): Html {
  // Parts are shares of a mean; a little less than nothing is rounding.
  const parts = PARTS.map((part) => ({ ...part, ms: Math.max(0, predicted.breakdown[part.key]) }));
  const total = Math.max(
    parts.reduce((sum, part) => sum + part.ms, 0),
    Number.EPSILON,
  );
  const shown = parts.filter((part) => part.ms / total >= 5e-5);
  const share = (ms: number) => `${formatDuration(ms)}, ${formatPercent(ms / total, 1)}`;
  return card({
    id: "breakdown",
    title: "Where a step's time goes",
    wide: true,
    lead: "Mean over the pipeline ranks. A bubble is time in which a rank waits for others: what even stages cannot avoid (ideal), and what imbalance, recompute and communication add.",
    body: html`<div class="split" aria-hidden="true">${shown.map(
      ({ name, style, ms }) =>
        html`<i class="${style}" style="flex-grow:${((ms / total) * 1000).toFixed(3)}" data-tip="${name}: ${share(ms)}"></i>`,
    )}</div>
<ul class="split-parts">${shown.map(
      ({ name, style, ms }) =>
        html`<li><span class="key ${style}" aria-hidden="true"></span><span>${name}</span> <b>${formatDuration(ms)}</b> <small>${formatPercent(ms / total, 1)}</small></li>`,
    )}</ul>`,
  });
}
