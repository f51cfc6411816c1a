import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { adaptCoefficient, stepBiases } from "./law.ts";

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

describe("stepBiases", () => {
  const loads = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 16 });
  const speeds = fc.double({ min: 1e-6, max: 1, noNaN: true });

  it("agrees with DeepSeek-V3's rule worked out by hand", () => {
    // Mean load 5: over, under, exactly on it.
    assert.deepEqual(stepBiases([0, 0.5, -1], [9, 1, 5], 0.25), [-0.25, 0.75, -1]);
  });

  it("moves no bias by anything but the speed, up under the mean and down above it", () => {
    fc.assert(
      fc.property(loads, speeds, (load, speed) => {
        const mean = load.reduce((sum, count) => sum + count, 0) / load.length;
        const moved = stepBiases(new Array(load.length).fill(0), load, speed);
        for (const [expert, count] of load.entries()) {
          const by = moved[expert] as number;
          assert.ok(by === 0 || Math.abs(by) === speed);
          if (count < mean - 1e-9) assert.equal(by, speed);
          if (count > mean + 1e-9) assert.equal(by, -speed);
        }
      }),
    );
  });

  it("does not look at an expert's number", () => {
    fc.assert(
      fc.property(loads, speeds, (load, speed) => {
        const zeros = new Array<number>(load.length).fill(0);
        const turned = stepBiases(zeros, load.toReversed(), speed);
        assert.deepEqual(turned.toReversed(), stepBiases(zeros, load, speed));
      }),
    );
  });

  it("leaves an even load alone, at any scale and number of experts", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 0, max: 1e9 }), (n, count) => {
        const biases = Array.from({ length: n }, (_, expert) => expert / 7);
        assert.deepEqual(stepBiases(biases, new Array(n).fill(count), 0.001), biases);
      }),
    );
  });

  it("ends the overload of a gate that prefers one expert, and then stays near balance", () => {
    // Every token's preferences are its own, but expert 0 has a head start of 0.3.
    const tokens = Array.from({ length: 400 }, (_, t) =>
      [0, 1, 2, 3].map((e) => ((t * 37 + e * 101 + t * e * 13) % 97) / 97 + (e === 0 ? 0.3 : 0)),
    );
    const choose = (biases: readonly number[]) => {
      const load = [0, 0, 0, 0];
      for (const scores of tokens) {
        const biased = scores.map((score, e) => score + (biases[e] as number));
        const best = biased.indexOf(Math.max(...biased));
        load[best] = (load[best] as number) + 1;
      }
      return load;
    };
    let biases = [0, 0, 0, 0];
    const worst = (load: readonly number[]) => Math.max(...load) / 100;
    assert.ok(worst(choose(biases)) > 1.5);
    for (let step = 0; step < 400; step++) biases = stepBiases(biases, choose(biases), 0.002);
    assert.ok(worst(choose(biases)) < 1.1);
  });
});
