import assert from "node:assert/strict";
import test from "node:test";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatFixed,
  formatFlops,
  formatPercent,
  formatSmall,
  formatWhole,
} from "./format.ts";

test("numbers read as people write them", () => {
  assert.equal(formatCount(146.4e9), "146 B");
  assert.equal(formatCount(2_140_000), "2.14 M");
  assert.equal(formatCount(999_950), "1.00 M");
  assert.equal(formatCount(12), "12.0");
  assert.equal(formatFlops(2.1e9), "2.10 GFLOP");
  assert.equal(formatWhole(9876.4), "9,876");
  assert.equal(formatPercent(0.0093), "0.93 %");
  assert.equal(formatBytes(612e6), "584 MiB");
  assert.equal(formatBytes(1.25 * 2 ** 30), "1.25 GiB");
  assert.equal(formatSmall(0.0034), "0.00340");
  assert.equal(formatSmall(1.2e-5), "1.2e-5");
});

test("durations keep two units and never show sixty of one", () => {
  assert.equal(formatDuration(850), "850 ms");
  assert.equal(formatDuration(12_340), "12.3 s");
  assert.equal(formatDuration(59_990), "1 min 00 s");
  assert.equal(formatDuration(245_000), "4 min 05 s");
  assert.equal(formatDuration(3 * 3_600_000 + 125_000), "3 h 02 min");
  assert.equal(formatDuration(49 * 3_600_000), "2 d 01 h");
});

test("what is no number is a dash", () => {
  for (const format of [
    formatCount,
    formatDuration,
    formatPercent,
    formatBytes,
    formatSmall,
    formatFlops,
    formatWhole,
  ]) {
    assert.equal(format(Number.NaN), "–");
  }
  assert.equal(formatFixed(Number.POSITIVE_INFINITY, 3), "–");
});
