import { readFileSync } from "node:fs";
import type { PageAssets } from "../../report/render-report.ts";

const REPORT = "../../report/page/";

/** Scripts in the order they depend on each other; the report's own come first. */
const SCRIPTS = [
  `${REPORT}colors.js`,
  `${REPORT}tip.js`,
  "./page/schedule.js",
  "./page/schedule-view.js",
];

/** Style and scripts of a plan's page, from the files beside this one. */
export function loadPlanPageAssets(): PageAssets {
  const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
  return {
    styles: `${read(`${REPORT}style.css`)}\n${read("./page/schedule.css")}`,
    scripts: `(() => {\n"use strict";\n${SCRIPTS.map(read).join("\n")}})();\n`,
  };
}
