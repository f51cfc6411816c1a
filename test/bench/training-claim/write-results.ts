import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatWhole } from "../../../coordinator/report/format.ts";
import { html, trusted } from "../../../coordinator/report/html.ts";
import { pageHead } from "../../../coordinator/report/page-head.ts";
import { card } from "../../../coordinator/report/sections/card.ts";
import { type Figure, figuresOf } from "./figures.ts";
import type { Results } from "./summarize.ts";
import { markdown, type Table, tablesOf } from "./tables.ts";

const STYLE = new URL("../../../coordinator/report/page/style.css", import.meta.url);

/** Writes results.json, table.md, a file a figure and report.html; returns what to print. */
export function writeResults(directory: string, results: Results): string[] {
  mkdirSync(directory, { recursive: true });
  const tables = tablesOf(results);
  const figures = figuresOf(results);
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  write("results.json", `${JSON.stringify(results, null, 2)}\n`);
  write("table.md", tables.map(markdown).join("\n"));
  for (const { id, svg } of figures) write(`${id}.svg`, svg);
  write("report.html", page(results, tables, figures));
  return [...tables.map(markdown), `figures, tables and a page of both: ${directory}`];
}

/** Everything on one page that loads nothing. */
function page(
  { steps, tokensPerStep, seeds }: Results,
  tables: readonly Table[],
  figures: readonly Figure[],
) {
  const title = "Gate normalisation and adaptive balancing, measured";
  return html`${pageHead(title, `${readFileSync(STYLE, "utf8")}td { white-space: nowrap; }`)}
<body>
<main>
<header><h1>${title}</h1>
<p>${steps} steps of ${formatWhole(tokensPerStep)} tokens, ${seeds.length} seeds; lines are means over seeds, bands reach from the least seed to the most.</p></header>
<div class="grid">
${figures.map(({ lead, svg }) => html`<section class="card wide"><figure>${trusted(svg)}<figcaption class="lead">${lead}</figcaption></figure></section>\n`)}
${tables.map(({ title, header, rows }, index) =>
  card({
    id: `table-${index}`,
    title,
    wide: true,
    body: html`<div class="scroll" tabindex="0"><table><thead><tr>${header.map((cell) => html`<th>${cell}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>\n`)}</tbody></table></div>`,
  }),
)}</div>
</main>
</body>
</html>
`.text;
}
