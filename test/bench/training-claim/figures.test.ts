import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { findBrowser, visit } from "../../browser.ts";
import { type Figure, figuresOf } from "./figures.ts";
import { madeUpRun } from "./fixture.ts";
import { armsOf, type Cell, cellsOf } from "./grid.ts";
import { linearScale, logScale } from "./scale.ts";
import { type Results, summarize } from "./summarize.ts";
import { writeResults } from "./write-results.ts";

const ARMS = armsOf([0.01, 0.001]);
const CELLS = cellsOf(ARMS, [1, 2, 3]);

function results(steps = 120): Results {
  const byId = new Map<string, Cell>(CELLS.map((cell) => [cell.id, cell]));
  return summarize(ARMS, CELLS, (id) => madeUpRun(byId.get(id) as Cell, steps));
}

const BACKGROUND = `getComputedStyle(document.querySelector("svg .back")).fill`;
const count = (svg: string, pattern: RegExp) => [...svg.matchAll(pattern)].length;

test("a linear scale has ticks at round numbers, and places its ends", () => {
  const scale = linearScale([0, 0.35], [100, 0], 5);
  assert.deepEqual(scale.ticks, [0, 0.1, 0.2, 0.3]);
  assert.deepEqual([scale.place(0), scale.place(0.35)], [100, 0]);
  assert.deepEqual(
    linearScale([-0.02, 0.03], [0, 1], 5).ticks,
    [-0.02, -0.01, 0, 0.01, 0.02, 0.03],
  );
});

test("a logarithmic scale has ticks within powers of ten, and fewer over many of them", () => {
  assert.deepEqual(logScale([0.0008, 0.013], [100, 0]).ticks, [0.001, 0.002, 0.005, 0.01]);
  assert.deepEqual(logScale([1e-5, 1e-1], [100, 0]).ticks, [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]);
  assert.ok(Math.abs(logScale([0.01, 1], [100, 0]).place(0.1) - 50) < 1e-9);
});

test("four figures, each with a line and a band an arm, small and without bad numbers", () => {
  const figures = figuresOf(results());
  assert.deepEqual(
    figures.map(({ id }) => id),
    ["drop-rate", "loss", "coefficient", "similarity"],
  );
  for (const { svg } of figures) {
    assert.equal(count(svg, /<path class="band band[012]"/g), 6);
    // Six in the panels and three in the legend.
    assert.equal(count(svg, /<path class="line line[012]"/g), 6 + 3);
    assert.ok(svg.length < 100_000);
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
  }
});

test("what is drawn are the means: a lower curve lies lower", () => {
  const [drops] = figuresOf(results()) as [Figure];
  const ends = [...drops.svg.matchAll(/class="line line([012])" d="M[^"]*? ([\d.]+)"/g)]
    .map(([, style, y]) => ({ style, y: Number(y) }))
    .slice(-6);
  // y grows downwards: adaptive (0) drops less than fixed (1), and without normalisation more.
  assert.deepEqual(
    ends.map(({ style }) => style),
    ["0", "1", "2", "0", "1", "2"],
  );
  assert.ok((ends[0]?.y ?? 0) > (ends[1]?.y ?? 0));
  assert.ok((ends[0]?.y ?? 0) > (ends[3]?.y ?? 0));
});

test("a shortest series, of one measurement of similarity, still has all figures", () => {
  for (const { svg } of figuresOf(results(6))) assert.doesNotMatch(svg, /NaN|Infinity/);
});

test("the page and every figure open in a browser, in light and in dark, and load nothing", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "moestro-claim-"));
  t.after(() => rmSync(directory, { recursive: true }));
  writeResults(directory, results());
  const names = ["coefficient.svg", "drop-rate.svg", "loss.svg", "report.html", "results.json"];
  assert.deepEqual(readdirSync(directory).sort(), [...names, "similarity.svg", "table.md"]);
  assert.equal(JSON.parse(readFileSync(join(directory, "results.json"), "utf8")).arms.length, 6);
  const browser = await chromium.launch({ executablePath: findBrowser(), args: ["--no-sandbox"] });
  t.after(() => browser.close());
  const backs = new Set<string>();
  for (const colorScheme of ["light", "dark"] as const) {
    for (const name of ["report.html", "loss.svg"]) {
      const path = join(directory, name);
      const { page, requests, problems } = await visit(browser, path, { width: 980, colorScheme });
      backs.add(await page.evaluate(BACKGROUND));
      assert.equal(await page.locator("svg").count(), name === "report.html" ? 4 : 1);
      assert.deepEqual(requests, [pathToFileURL(path).href]);
      assert.deepEqual(problems, []);
      await page.close();
    }
  }
  assert.equal(backs.size, 2);
});
