import { readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { readRun } from "./read-run.ts";
import { type PageAssets, renderReport } from "./render-report.ts";

/** The page's own scripts, in the order they depend on each other. */
const SCRIPTS = ["colors", "tip", "line-chart", "charts", "heat-map", "main"];

/**
 * Writes `report.html` into a run's folder from the files the run left there,
 * whichever of them exist, and returns its path. The page is one file that
 * needs no network.
 */
export async function writeReport(runDirectory: string): Promise<string> {
  const [run, assets] = await Promise.all([readRun(runDirectory), loadAssets()]);
  const path = join(runDirectory, "report.html");
  // Whoever has the old page open never reads half of the new one.
  const unfinished = `${path}.unfinished`;
  await writeFile(unfinished, renderReport(run, assets));
  await rename(unfinished, path);
  return path;
}

async function loadAssets(): Promise<PageAssets> {
  const uplot = dirname(createRequire(import.meta.url).resolve("uplot"));
  const own = (name: string) => readFile(new URL(`./page/${name}`, import.meta.url), "utf8");
  const [library, libraryStyle, style, ...scripts] = await Promise.all([
    readFile(join(uplot, "uPlot.iife.min.js"), "utf8"),
    readFile(join(uplot, "uPlot.min.css"), "utf8"),
    own("style.css"),
    ...SCRIPTS.map((name) => own(`${name}.js`)),
  ]);
  return {
    styles: `${libraryStyle}\n${style}`,
    scripts: `${library}\n(() => {\n"use strict";\n${scripts.join("\n")}})();\n`,
  };
}
