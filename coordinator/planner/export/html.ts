import { embedJson, html, trusted } from "../../report/html.ts";
import type { PageAssets } from "../../report/render-report.ts";
import type { PlanDocument } from "../plan-document.ts";
import type { Chart } from "./chart.ts";
import { breakdownCard } from "./html-breakdown.ts";
import { planHeader, planTiles } from "./html-header.ts";
import { scheduleCard, scheduleData } from "./html-schedule.ts";
import { stagesCard } from "./html-stages.ts";

/** A plan as one page that needs no network. Pure: the same plan gives the same bytes. */
export function renderPlanPage(document: PlanDocument, chart: Chart, assets: PageAssets): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${document.job} – moestro plan</title>
<style>${trusted(assets.styles)}</style>
</head>
<body>
<main>
${planHeader(document)}${planTiles(document)}<noscript><p class="nothing">The schedule is drawn by a script inside this page, and scripts are turned off.</p></noscript>
<div class="grid">
${breakdownCard(document)}${scheduleCard(document, chart)}${stagesCard(document)}</div>
<footer>Predicted by moestro's planner; nothing here was measured. This page loads nothing from anywhere.</footer>
</main>
<div id="tip" role="status" hidden></div>
<script type="application/json" id="moestro-schedule">${embedJson(scheduleData(document, chart))}</script>
<script>${trusted(assets.scripts)}</script>
</body>
</html>
`.text;
}
