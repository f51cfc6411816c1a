import { type Plan, Recompute, type Stage } from "../../../proto/gen/moestro/v1/plan_pb.js";
import { ranksOfStages } from "../chunks.ts";
import { formatBytes, formatCount, formatFixed, formatFlops, formatPercent } from "../format.ts";
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
  const ranks = ranksOfStages(plan);
  return card({
    id: "plan",
    title: "Plan",
    // Without steps there is no measured balance to stand beside it.
    wide: metrics.length === 0,
    lead: `Chosen out of ${plan.numCandidates} legal layouts.`,
    body: html`<ul class="reasons">${plan.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>
${prediction(plan)}
<div class="scroll" tabindex="0" role="group" aria-label="Stages of the plan"><table>
<thead><tr><th>Stage</th>${ranks && html`<th>Rank</th>`}<th>Layers</th><th>Also holds</th><th>Recomputed</th><th>Experts a rank</th><th>Forward</th><th>Backward</th></tr></thead>
<tbody>${plan.stages.map((stage) => row(stage, ranks?.[stage.index]))}</tbody></table></div>`,
  });
}

function row(stage: Stage, rank: number | undefined): Html {
  const last = stage.firstLayer + stage.numLayers - 1;
  const extras = [
    ...(stage.hasEmbedding ? ["embedding"] : []),
    ...(stage.hasHead ? ["head and loss"] : []),
  ];
  const count = (mode: Recompute) => stage.recompute.filter((other) => other === mode).length;
  const [full, selective] = [count(Recompute.FULL), count(Recompute.SELECTIVE)];
  const recomputed = selective === 0 ? `${full}` : `${full} and ${selective} in part`;
  return html`<tr><th scope="row">${stage.index}</th>${rank === undefined ? undefined : html`<td>${rank}</td>`}<td>${stage.numLayers} (${stage.firstLayer}–${last})</td><td>${extras.join(", ") || "–"}</td><td>${recomputed} of ${stage.numLayers}</td><td>${stage.expertsPerRank}</td><td>${formatFlops(stage.forwardFlops)}</td><td>${formatFlops(stage.backwardFlops)}</td></tr>`;
}

function prediction({ prediction: expected }: Plan): Html | undefined {
  if (expected === undefined) return undefined;
  const gain = expected.uniformMakespanFlops / expected.makespanFlops - 1;
  const gap = expected.makespanFlops / expected.boundFlops - 1;
  const facts: (readonly [string, string])[] = [
    ["Balance", formatFixed(expected.balance, 3)],
    ["Bubble", formatPercent(expected.bubbleFraction, 1)],
    [
      `Against the even split [${expected.uniformLayers.join(", ")}]`,
      !Number.isFinite(gain)
        ? "it does not fit the memory"
        : Math.abs(gain) < 5e-4
          ? "no difference"
          : `${formatPercent(gain, 1)} more work in the same time`,
    ],
    ["Above the lower bound", formatPercent(gap, 1)],
    ["Parameters on the fullest rank", formatCount(Number(expected.parametersPerRankMax))],
    ...(expected.memoryBytes.length === 0
      ? []
      : [
          [
            "Peak memory, by pipeline rank",
            expected.memoryBytes.map(formatBytes).join(", "),
          ] as const,
        ]),
  ];
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
