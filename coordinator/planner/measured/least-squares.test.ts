import assert from "node:assert/strict";
import { test } from "node:test";
import { fitRobust } from "./least-squares.ts";

test("a fit finds the line's constants, and one wild row hardly moves them", () => {
  const xs = Array.from({ length: 30 }, (_, i) => i / 10);
  const ys = xs.map((x) => 0.4 + 0.7 * x);
  ys[7] = 50;
  const residuals = ([a = 0, b = 0]: Float64Array) =>
    Float64Array.from(xs, (x, i) => a + b * x - (ys[i] as number));
  const weights = new Float64Array(30).fill(400);
  const { parameters } = fitRobust(Float64Array.of(0, 0), residuals, weights, {
    spread: Float64Array.of(10, 10),
    rounds: 60,
  });
  assert.ok(Math.abs((parameters[0] as number) - 0.4) < 0.05);
  assert.ok(Math.abs((parameters[1] as number) - 0.7) < 0.05);
});
