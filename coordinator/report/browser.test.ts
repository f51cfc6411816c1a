import assert from "node:assert/strict";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { chromium, type Locator, type Page } from "playwright-core";
import { findBrowser, visit } from "../../test/browser.ts";
import { fileTexts, makeRun, withRunDirectory } from "./fixture.ts";
import { writeReport } from "./write-report.ts";

/** Distinct colours on each of the page's canvases. */
const COUNT_COLORS = `[...document.querySelectorAll("canvas")].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
})`;

/** What the hover box says of the middle of an element. */
async function hover(page: Page, target: Locator): Promise<string> {
  await target.scrollIntoViewIfNeeded();
  // Scrolling takes the box away, a frame later.
  await page.evaluate(
    "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))",
  );
  await page.mouse.move(0, 0);
  await target.hover();
  const tip = page.locator("#tip");
  await tip.waitFor({ state: "visible", timeout: 5000 });
  return (await tip.textContent()) ?? "";
}

const WIDER_THAN_WINDOW = "document.documentElement.scrollWidth > innerWidth";

test("in a browser", async (t) => {
  const browser = await chromium.launch({ executablePath: findBrowser(), args: ["--no-sandbox"] });
  t.after(() => browser.close());
  const run = makeRun({ steps: 120 });

  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 390]) {
      await t.test(`every chart is drawn, ${width} px wide, ${colorScheme}`, () =>
        withRunDirectory(fileTexts(run), async (directory) => {
          const path = await writeReport(directory);
          const { page, requests, problems } = await visit(browser, path, { width, colorScheme });
          const colors = (await page.evaluate(COUNT_COLORS)) as number[];
          assert.equal(colors.length, 6 + 6);
          for (const count of colors) assert.ok(count > 3, `a canvas of ${count} colours`);
          assert.equal(await page.evaluate(WIDER_THAN_WINDOW), false);
          assert.deepEqual(requests, [pathToFileURL(path).href]);
          assert.deepEqual(problems, []);
          await page.close();
        }),
      );
    }
  }

  await t.test("hovering tells the figures, and a layer can be switched off", () =>
    withRunDirectory(fileTexts(run), async (directory) => {
      const path = await writeReport(directory);
      const { page, problems } = await visit(browser, path, { width: 1280, colorScheme: "light" });
      const drops = page.locator("#drop-rate .u-over");
      assert.match(await hover(page, drops), /^step \d+\nlayer 0: [\d.]+ %\nlayer 1: /);
      await page.locator("#drop-rate button", { hasText: "layer 0" }).click();
      assert.match(await hover(page, drops), /^step \d+\nlayer 1: /);
      assert.match(
        await hover(page, page.locator("#load canvas").nth(2)),
        /^layer 2, expert 4\nstep \d+: [\d.]+ of an even share$/,
      );
      assert.match(
        await hover(page, page.locator("#timeline i.backward").nth(3)),
        /^stage 0, backward of micro-batch 3: /,
      );
      assert.equal(
        await hover(page, page.locator("#balance i.communication").first()),
        "stage 0, measured communication: 48.0 ms",
      );

      await page.mouse.move(2, 2);
      assert.equal(await page.locator("#tip").isVisible(), false);
      assert.deepEqual(problems, []);
      await page.close();
    }),
  );

  await t.test("arrow keys walk along a chart", () =>
    withRunDirectory(fileTexts(run), async (directory) => {
      const path = await writeReport(directory);
      const { page } = await visit(browser, path, { width: 1280, colorScheme: "light" });
      await page.locator("[data-chart=loss]").focus();
      for (let i = 0; i < 3; i += 1) await page.keyboard.press("ArrowRight");
      assert.match((await page.locator("#tip").textContent()) ?? "", /^step 3\ntraining: 5\./);
      await page.keyboard.press("Escape");
      assert.equal(await page.locator("#tip").isVisible(), false);
      await page.close();
    }),
  );

  await t.test("colours follow the system when it turns dark", () =>
    withRunDirectory(fileTexts(run), async (directory) => {
      const path = await writeReport(directory);
      const { page } = await visit(browser, path, { width: 1280, colorScheme: "light" });
      const chip = "#drop-rate .chips button:first-child i";
      const light = await page.locator(chip).getAttribute("style");
      await page.emulateMedia({ colorScheme: "dark" });
      await page.locator(`${chip}:not([style="${light}"])`).waitFor();
      assert.equal(await page.locator("[data-chart] .uplot").count(), 6);
      await page.close();
    }),
  );

  await t.test("of many layers one heat map is shown, chosen from a list", () =>
    withRunDirectory(fileTexts(makeRun({ steps: 20, numLayers: 16 })), async (directory) => {
      const path = await writeReport(directory);
      const { page, problems } = await visit(browser, path, { width: 1280, colorScheme: "dark" });
      assert.equal(await page.locator("#load canvas").count(), 1);
      await page.locator("#load select").selectOption("11");
      assert.match((await page.locator("#load figcaption").textContent()) ?? "", /^Layer 11/);
      assert.deepEqual(problems, []);
      await page.close();
    }),
  );

  await t.test("a report of a run without steps has no errors either", () =>
    withRunDirectory(fileTexts(makeRun({ steps: 0 })), async (directory) => {
      const path = await writeReport(directory);
      const { page, problems } = await visit(browser, path, { width: 390, colorScheme: "light" });
      assert.ok(await page.getByText("No optimizer step was completed").isVisible());
      assert.deepEqual(problems, []);
      await page.close();
    }),
  );
});
