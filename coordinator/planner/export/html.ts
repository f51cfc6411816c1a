import { embedJson, html, trusted } from "../../report/html.ts";
import { pageHead } from "../../report/page-head.ts";
import type { PageAssets } from "../../report/render-report.ts";
import type { PlanDocument } from "../plan-document.ts";
import type { Chart } from "./chart.ts";
import { breakdownCard } from "./html-breakdown.ts";
import { planHeader, planTiles } from "./html-header.ts";
import { scheduleCard, scheduleData } from "./html-schedule.ts";
import { stagesCard } from "./html-stages.ts";

/** A plan as one page that needs no network. Pure: the same plan gives the same bytes. */
export function renderPlanPage(document: PlanDocument, chart: Chart, assets: PageAssets): string {
  return html`${pageHead(`${document.job} – moestro plan`, assets.styles)}
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
