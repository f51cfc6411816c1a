import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";

/** The machine's Chromium or Chrome. */
export function findBrowser(): string {
  const places = [
    process.env.CHROMIUM_PATH,
    "/usr/bin/chromium",
    "/usr/bin/google-chrome",
    "/usr/bin/google-chrome-stable",
  ];
  const found = places.find((path) => path !== undefined && existsSync(path));
  assert.ok(
    found,
    "No browser at CHROMIUM_PATH, /usr/bin/chromium or /usr/bin/google-chrome: apt-get install chromium",
  );
  return found;
}

export type Visit = { page: Page; requests: string[]; problems: string[] };

/** Opens a page and records whatever it asks of the network or complains of. */
export async function visit(
  browser: Browser,
  path: string,
  options: { width: number; colorScheme: "light" | "dark" },
): Promise<Visit> {
  const { width, colorScheme } = options;
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  const visited: Visit = { page, requests: [], problems: [] };
  page.on("request", (request) => visited.requests.push(request.url()));
  page.on("pageerror", (error) => visited.problems.push(error.message));
  page.on("console", (message) => visited.problems.push(message.text()));
  await page.goto(pathToFileURL(path).href);
  return visited;
}
