import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { linearFit, percentile } from "./figures.ts";

test("a percentile is a value that so many are no greater than", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(percentile(values, 0.5), 50);
  assert.equal(percentile(values, 0.99), 99);
  assert.equal(percentile(values, 1), 100);
  assert.equal(percentile([7], 0.5), 7);
});

test("points on a line are fitted by that line", () => {
  fc.assert(
    fc.property(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 }), (a, b) => {
      const fit = linearFit([1, 2, 4, 8].map((x) => [x, a + b * x] as const));
      assert.ok(Math.abs(fit.slope - b) < 1e-9);
      assert.ok(Math.abs(fit.intercept - a) < 1e-9);
      assert.ok(fit.explained > 1 - 1e-9);
    }),
  );
});

test("a parabola is no line", () => {
  assert.ok(linearFit([1, 2, 4, 8].map((x) => [x, x * x] as const)).explained < 0.97);
});
