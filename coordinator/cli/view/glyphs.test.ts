import assert from "node:assert/strict";
import test from "node:test";
import { bar, column, mean, resample, sparkline } from "./glyphs.ts";

test("a sparkline goes from the least to the most value", () => {
  assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8, true), "▁▂▃▄▅▆▇█");
  assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8, false), "_.:-=+*#");
});

test("a course longer than the line is drawn by means", () => {
  assert.equal(sparkline([0, 2, 6, 8], 2, true), "▁█");
  assert.deepEqual(resample([0, 2, 6, 8, 1], 2, mean), [1, 5]);
});

test("equal values are a low line, a missing one a space", () => {
  assert.equal(sparkline([3, 3, 3], 9, true), "▁▁▁");
  assert.equal(sparkline([1, Number.NaN, 2], 9, true), "▁ █");
  assert.equal(sparkline([], 9, true), "");
  assert.equal(sparkline([Number.NaN], 9, true), " ");
});

test("a bar has its width whatever the share", () => {
  assert.equal(bar(0.5, 4, true), "██░░");
  assert.equal(bar(7, 4, false), "####");
  assert.equal(bar(Number.NaN, 4, false), "....");
  assert.equal(column(2, true), "█");
});
