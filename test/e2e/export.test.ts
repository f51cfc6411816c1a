import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { chromium, type Page } from "playwright-core";
import { exportPlan } from "../../coordinator/planner/export/export-plan.ts";
import { makePlan } from "../../coordinator/planner/export/fixture.ts";
import { chartOfPlan } from "../../coordinator/planner/schedule/chart-of-plan.ts";
import { findBrowser, visit } from "../browser.ts";

const COLORS = `(() => {
  const canvas = document.getElementById("schedule-canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
})()`;
const PICTURE = `document.getElementById("schedule-canvas").toDataURL()`;
const WIDER_THAN_WINDOW = "document.documentElement.scrollWidth > innerWidth";
const DRAWN = "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))";

/** Left of the schedule's time, and the height of a rank's row, in CSS pixels. */
const [LABELS, AXIS, ROW] = [66, 22, 70];

/** What the hover box says at a share of the step's time and so far down a rank's row. */
async function hoverAt(page: Page, rank: number, share: number, down: number): Promise<string> {
  const canvas = page.locator("#schedule-canvas");
  await canvas.scrollIntoViewIfNeeded();
  // Scrolling takes the box away, a frame later.
  await page.evaluate(DRAWN);
  const box = await canvas.boundingBox();
  assert.ok(box);
  const x = box.x + LABELS + share * (box.width - LABELS);
  await page.mouse.move(x, box.y + AXIS + rank * ROW + down);
  const tip = page.locator("#tip");
  return (await tip.isVisible()) ? ((await tip.textContent()) ?? "") : "";
}

const small = makePlan({
  layers: [3, 4, 4, 3],
  recompute: [
    ["full", "full", "none"],
    ["none", "none", "none", "none"],
    ["none", "none", "none", "none"],
    ["none", "none", "none"],
  ],
});
const large = makePlan({ layers: Array(16).fill(4), layout: { numMicroBatches: 512 } });

test("a plan's page in a browser", async (t) => {
  const browser = await chromium.launch({ executablePath: findBrowser(), args: ["--no-sandbox"] });
  const folder = await mkdtemp(join(tmpdir(), "moestro-export-"));
  t.after(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });
  const smallPath = join(folder, "small.html");
  await writeFile(smallPath, exportPlan(small, chartOfPlan(small.best), "html"));

  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 390]) {
      await t.test(`the schedule is drawn, ${width} px wide, ${colorScheme}`, async () => {
        const { page, requests, problems } = await visit(browser, smallPath, {
          width,
          colorScheme,
        });
        assert.ok(((await page.evaluate(COLORS)) as number) > 6);
        assert.equal(await page.evaluate(WIDER_THAN_WINDOW), false);
        assert.equal(await page.locator("#stages tbody tr").count(), 4);
        assert.equal(await page.locator(".split i").count(), 8);
        assert.deepEqual(requests, [pathToFileURL(smallPath).href]);
        assert.deepEqual(problems, []);
        await page.close();
      });
    }
  }

  await t.test("hovering tells what a rank does and what memory it holds", async () => {
    const { page, problems } = await visit(browser, smallPath, {
      width: 1280,
      colorScheme: "light",
    });
    assert.match(
      await hoverAt(page, 0, 0.004, 8),
      /^rank 0: forward of micro-batch 0\n0\.00 to 6\.50 ms \(6\.50 ms\)\nmemory: [\d.]+ GiB of 76\.0 GiB$/,
    );
    assert.match(
      await hoverAt(page, 0, 0.945, 8),
      /^rank 0: backward of micro-batch 15\n.*\nof which recompute 4\.00 ms\nmemory: /,
    );
    assert.match(
      await hoverAt(page, 3, 0.004, 8),
      /^rank 3, at [\d.]+ ms: idle\nmemory: 20\.0 GiB/,
    );
    assert.match(await hoverAt(page, 2, 0.5, 40), /^rank 2, at [\d.]+ ms\nmemory: 3[\d.]+ GiB of/);
    assert.match(await hoverAt(page, 0, 0.995, 8), /^rank 0: optimizer\n/);
    await page.mouse.move(2, 2);
    assert.equal(await page.locator("#tip").isVisible(), false);
    assert.deepEqual(problems, []);
    await page.close();
  });

  await t.test(
    "of hundreds of micro-batches each can be zoomed to, with buttons or keys",
    async () => {
      const path = join(folder, "large.html");
      await writeFile(path, exportPlan(large, chartOfPlan(large.best), "html"));
      const { page, problems } = await visit(browser, path, { width: 1280, colorScheme: "dark" });
      const whole = await page.evaluate(PICTURE);
      for (let i = 0; i < 6; i += 1) await page.locator("[data-zoom=in]").click();
      await page.evaluate(DRAWN);
      const near = await page.evaluate(PICTURE);
      assert.notEqual(near, whole);
      assert.match(
        await hoverAt(page, 0, 0.5, 8),
        /^rank 0: (for|back)ward of micro-batch 2\d\d\n/,
      );
      await page.locator("#schedule-canvas").focus();
      await page.keyboard.press("ArrowRight");
      await page.evaluate(DRAWN);
      assert.notEqual(await page.evaluate(PICTURE), near);
      await page.keyboard.press("0");
      await page.evaluate(DRAWN);
      assert.equal(await page.evaluate(PICTURE), whole);
      assert.deepEqual(problems, []);
      await page.close();
    },
  );

  await t.test("names from files are shown as text", async () => {
    const path = join(folder, "name.html");
    const plan = { ...small, job: "</script><img src=x onerror=alert(1)>" };
    await writeFile(path, exportPlan(plan, chartOfPlan(plan.best), "html"));
    const { page, requests, problems } = await visit(browser, path, {
      width: 1280,
      colorScheme: "light",
    });
    assert.equal(await page.locator("h1").textContent(), plan.job);
    assert.deepEqual(requests, [pathToFileURL(path).href]);
    assert.deepEqual(problems, []);
    await page.close();
  });
});
