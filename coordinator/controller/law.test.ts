import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { adaptCoefficient } from "./law.ts";

const REPORT = { gain: 0.2, maxCoefficient: 0.01, smoothing: 0.99 };

const share = fc.double({ min: 0, max: 1, noNaN: true });
const options = fc.record({
  gain: fc.double({ min: 0, max: 10, noNaN: true }),
  maxCoefficient: share,
  smoothing: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

describe("adaptCoefficient", () => {
  it("agrees with the report's formula worked out by hand", () => {
    // 0.99·0.01 + 0.01·min(0.2·0.02, 0.01) = 0.0099 + 0.00004
    assert.ok(Math.abs(adaptCoefficient(0.01, 0.02, REPORT) - 0.00994) < 1e-17);
    // 0.99·0.002 + 0.01·min(0.2·0.10, 0.01) = 0.00198 + 0.0001
    assert.ok(Math.abs(adaptCoefficient(0.002, 0.1, REPORT) - 0.00208) < 1e-17);
  });

  it("saturates at a drop rate of 5 %", () => {
    const at = (dropRate: number) => adaptCoefficient(0.003, dropRate, REPORT);
    assert.ok(at(0.0499) < at(0.05));
    assert.equal(at(0.05), at(0.051));
    assert.equal(at(0.05), at(1));
  });

  it("halves what is left of the past in about 69 steps", () => {
    let coefficient = 0.01;
    let steps = 0;
    for (; coefficient > 0.005; steps++) coefficient = adaptCoefficient(coefficient, 0, REPORT);
    assert.equal(steps, 69);
  });

  it("settles at gain times a constant drop rate", () => {
    let coefficient = 0.01;
    for (let step = 0; step < 3000; step++) {
      coefficient = adaptCoefficient(coefficient, 0.017, REPORT);
    }
    // The report's shallowest layer: d near 1.7 %, alpha = 0.0034.
    assert.ok(Math.abs(coefficient - 0.0034) < 1e-12);
  });

  it("never leaves 0 .. max(alpha, alpha_max)", () => {
    fc.assert(
      fc.property(share, share, options, (coefficient, dropRate, law) => {
        const next = adaptCoefficient(coefficient, dropRate, law);
        const most = Math.max(coefficient, law.maxCoefficient);
        assert.ok(next >= 0 && next <= most * (1 + 1e-15));
      }),
    );
  });

  it("rises with the drop rate and with the coefficient", () => {
    fc.assert(
      fc.property(share, share, share, options, (coefficient, a, b, law) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        assert.ok(
          adaptCoefficient(coefficient, low, law) <= adaptCoefficient(coefficient, high, law),
        );
        assert.ok(
          adaptCoefficient(low, coefficient, law) <= adaptCoefficient(high, coefficient, law),
        );
      }),
    );
  });
});
