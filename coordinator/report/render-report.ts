import { embedJson, html, trusted } from "./html.ts";
import { buildPageData } from "./page-data.ts";
import { pageHead } from "./page-head.ts";
import type { RunFiles } from "./read-run.ts";
import { stageBalance } from "./sections/balance.ts";
import { charts } from "./sections/charts.ts";
import { events } from "./sections/events.ts";
import { header, runName } from "./sections/header.ts";
import { planCard } from "./sections/plan.ts";
import { sample } from "./sections/sample.ts";
import { tiles } from "./sections/tiles.ts";
import { timeline } from "./sections/timeline.ts";

/** Style sheets and scripts that go into the page as they are. */
export type PageAssets = { styles: string; scripts: string };

/** The whole page. Pure: the same files give the same bytes. */
export function renderReport(run: RunFiles, assets: PageAssets): string {
  const page = html`${pageHead(`${runName(run)} – moestro`, assets.styles)}
<body>
<main>
${header(run)}${tiles(run)}<noscript><p class="nothing">The charts are drawn by scripts inside this page, and scripts are turned off.</p></noscript>
<div class="grid">
${charts(run)}${timeline(run)}${stageBalance(run)}${planCard(run)}${sample(run)}${events(run)}</div>
<footer>Written by moestro from this run's folder. This page loads nothing from anywhere.</footer>
</main>
<div id="tip" role="status" hidden></div>
<script type="application/json" id="moestro-data">${embedJson(buildPageData(run.metrics))}</script>
<script>${trusted(assets.scripts)}</script>
</body>
</html>
`;
  return page.text;
}
