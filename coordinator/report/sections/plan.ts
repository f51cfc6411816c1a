import { type Plan, Recompute, type Stage } from "../../../proto/gen/moestro/v1/plan_pb.js";
import { formatCount, formatFixed, formatFlops, formatPercent } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { RunFiles } from "../read-run.ts";
import { card, nothing } from "./card.ts";

/** What the planner chose, what it expected of it and why. */
export function planCard({ plan, metrics }: RunFiles): Html {
  if (plan === undefined) {
    return card({
      id: "plan",
      title: "Plan",
      wide: true,
      body: nothing("The run left no readable plan."),
    });
  }
  return card({
    id: "plan",
    title: "Plan",
    // Without steps there is no measured balance to stand beside it.
    wide: metrics.length === 0,
    lead: `Chosen out of ${plan.numCandidates} legal layouts.`,
    body: html`<ul class="reasons">${plan.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>
${prediction(plan)}
<div class="scroll" tabindex="0" role="group" aria-label="Stages of the plan"><table>
<thead><tr><th>Stage</th><th>Layers</th><th>Also holds</th><th>Recomputed</th><th>Experts a rank</th><th>Forward</th><th>Backward</th></tr></thead>
<tbody>${plan.stages.map(row)}</tbody></table></div>`,
  });
}

function row(stage: Stage): Html {
  const last = stage.firstLayer + stage.numLayers - 1;
  const extras = [
    ...(stage.hasEmbedding ? ["embedding"] : []),
    ...(stage.hasHead ? ["head and loss"] : []),
  ];
  const recomputed = stage.recompute.filter((mode) => mode === Recompute.FULL).length;
  return html`<tr><th scope="row">${stage.index}</th><td>${stage.numLayers} (${stage.firstLayer}–${last})</td><td>${extras.join(", ") || "–"}</td><td>${recomputed} of ${stage.numLayers}</td><td>${stage.expertsPerRank}</td><td>${formatFlops(stage.forwardFlops)}</td><td>${formatFlops(stage.backwardFlops)}</td></tr>`;
}

function prediction({ prediction: expected }: Plan): Html | undefined {
  if (expected === undefined) return undefined;
  const gain = expected.uniformMakespanFlops / expected.makespanFlops - 1;
  const gap = expected.makespanFlops / expected.boundFlops - 1;
  const facts: [string, string][] = [
    ["Balance", formatFixed(expected.balance, 3)],
    ["Bubble", formatPercent(expected.bubbleFraction, 1)],
    [
      `Against the even split [${expected.uniformLayers.join(", ")}]`,
      Math.abs(gain) < 5e-4
        ? "no difference"
        : `${formatPercent(gain, 1)} more work in the same time`,
    ],
    ["Above the lower bound", formatPercent(gap, 1)],
    ["Parameters on the fullest rank", formatCount(Number(expected.parametersPerRankMax))],
  ];
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
