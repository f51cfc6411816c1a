import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type ControllerOptions,
  type ControllerState,
  coefficientsAt,
  createController,
  effective,
  fold,
} from "./controller.ts";
import { restoreController } from "./restore.ts";

const OPTIONS: ControllerOptions = {
  balancing: "adaptive",
  gain: 0.2,
  maxCoefficient: 0.01,
  smoothing: 0.5,
  initialCoefficient: 0.01,
  effectiveAfterSteps: 2,
};

const foldAll = (options: ControllerOptions, state: ControllerState, rates: number[][]) =>
  rates.reduce((state, drops) => fold(options, state, state.lastStep + 1, drops), state);

const rateLists = fc.array(
  fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }),
  {
    maxLength: 12,
  },
);
const lags = fc.integer({ min: 2, max: 5 });

describe("the adaptive controller", () => {
  it("adapts each layer on its own, two steps later, as worked out by hand", () => {
    let state = createController(OPTIONS, 2);
    assert.deepEqual(effective(state), { effectiveStep: 2, values: [0.01, 0.01] });
    state = fold(OPTIONS, state, 1, [0, 0.02]);
    // 0.5·0.01 + 0.5·0, and 0.5·0.01 + 0.5·0.004
    assert.deepEqual(effective(state), { effectiveStep: 3, values: [0.005, 0.007] });
    state = fold(OPTIONS, state, 2, [0, 0.5]);
    // 0.5·0.005 + 0.5·0, and 0.5·0.007 + 0.5·0.01
    assert.deepEqual(effective(state), { effectiveStep: 4, values: [0.0025, 0.0085] });
    assert.deepEqual(coefficientsAt(state, 3), [0.005, 0.007]);
    assert.deepEqual(coefficientsAt(state, 4), [0.0025, 0.0085]);
  });

  it("has a value for every step from the first on, for ranks that wait for each", () => {
    const { scheduled } = createController({ ...OPTIONS, effectiveAfterSteps: 3 }, 1);
    assert.deepEqual(
      scheduled.map(({ effectiveStep }) => effectiveStep),
      [1, 2, 3],
    );
  });

  it("keeps the first coefficient until the first computed one takes effect", () => {
    const state = createController(OPTIONS, 1);
    assert.deepEqual(coefficientsAt(state, 1), [0.01]);
    assert.deepEqual(coefficientsAt(fold(OPTIONS, state, 1, [0]), 2), [0.01]);
  });

  it("takes steps in order and once, of the right size, with rates in 0..1", () => {
    const state = fold(OPTIONS, createController(OPTIONS, 1), 1, [0]);
    assert.throws(() => fold(OPTIONS, state, 1, [0]), /step 1 cannot follow step 1/);
    assert.throws(() => fold(OPTIONS, state, 3, [0]), /step 3 cannot follow step 1/);
    assert.throws(() => fold(OPTIONS, state, 2, [0, 0]), /2 drop rates for 1 layers/);
    assert.throws(() => fold(OPTIONS, state, 2, [Number.NaN]), /drop rate NaN/);
    assert.throws(() => fold(OPTIONS, state, 2, [1.01]), /drop rate 1\.01/);
    assert.throws(() => coefficientsAt(state, 1), /step 1 is not after step 1/);
  });

  it("leaves the state it was given untouched", () => {
    const state = createController(OPTIONS, 1);
    const before = JSON.stringify(state);
    fold(OPTIONS, state, 1, [0.3]);
    assert.equal(JSON.stringify(state), before);
  });

  it("schedules every future step, and nothing that is already past", () => {
    fc.assert(
      fc.property(rateLists, lags, (rates, effectiveAfterSteps) => {
        const options = { ...OPTIONS, effectiveAfterSteps };
        const { lastStep, scheduled } = foldAll(options, createController(options, 3), rates);
        assert.ok((scheduled[0]?.effectiveStep ?? 0) <= lastStep + 1);
        for (const { effectiveStep } of scheduled.slice(1)) {
          assert.ok(effectiveStep > lastStep + 1);
        }
        assert.ok(scheduled.length <= effectiveAfterSteps);
      }),
    );
  });

  it("goes on bit for bit after a checkpoint, wherever it was taken", () => {
    fc.assert(
      fc.property(rateLists, rateLists, lags, (before, after, effectiveAfterSteps) => {
        const options = { ...OPTIONS, effectiveAfterSteps };
        const middle = foldAll(options, createController(options, 3), before);
        const restored = restoreController(
          options,
          JSON.parse(JSON.stringify(middle)),
          3,
          middle.lastStep,
        );
        assert.deepEqual(effective(restored), effective(middle));
        const straight = foldAll(options, middle, after);
        const resumed = foldAll(options, restored, after);
        assert.deepEqual(resumed, straight);
        for (let ahead = 1; ahead <= effectiveAfterSteps; ahead++) {
          const step = middle.lastStep + ahead;
          assert.deepEqual(coefficientsAt(restored, step), coefficientsAt(middle, step));
        }
      }),
    );
  });
});

describe("the other laws", () => {
  for (const [balancing, value] of [
    ["fixed", 0.01],
    ["none", 0],
  ] as const) {
    it(`${balancing} keeps every layer at ${value}`, () => {
      const options = { ...OPTIONS, balancing };
      const state = foldAll(options, createController(options, 2), [
        [1, 0],
        [0, 1],
      ]);
      assert.equal(state.lastStep, 2);
      assert.deepEqual(effective(state), { effectiveStep: 1, values: [value, value] });
      assert.deepEqual(coefficientsAt(state, 9), [value, value]);
    });
  }
});

describe("restoreController", () => {
  const good = { lastStep: 2, scheduled: [{ effectiveStep: 3, values: [0, 1] }] };
  it("keeps the values and gives every step that ranks may await one", () => {
    const restored = restoreController({ ...OPTIONS, effectiveAfterSteps: 4 }, good, 2, 2);
    assert.deepEqual(
      restored.scheduled,
      [3, 4, 5, 6].map((effectiveStep) => ({ effectiveStep, values: [0, 1] })),
    );
  });
  it("lets a law that no longer adapts take hold", () => {
    const none = restoreController({ ...OPTIONS, balancing: "none" }, good, 2, 2);
    assert.deepEqual(none.scheduled, [{ effectiveStep: 3, values: [0, 0] }]);
    const fixed = restoreController({ ...OPTIONS, balancing: "fixed" }, good, 2, 2);
    assert.deepEqual(fixed.scheduled, [{ effectiveStep: 3, values: [0.01, 0.01] }]);
  });
  const damaged: Record<string, [unknown, RegExp]> = {
    "something else": [{ steps: 3 }, /damaged/],
    "another step": [{ ...good, lastStep: 3 }, /of step 2, its controller of step 3/],
    "another model": [{ ...good, scheduled: [{ effectiveStep: 3, values: [0] }] }, /1 layers/],
    "no value for the next step": [
      { ...good, scheduled: [{ effectiveStep: 4, values: [0, 1] }] },
      /out of order/,
    ],
    "steps that go back": [
      { ...good, scheduled: [...good.scheduled, ...good.scheduled] },
      /out of order/,
    ],
  };
  for (const [name, [value, message]] of Object.entries(damaged)) {
    it(`refuses ${name}`, () =>
      assert.throws(() => restoreController(OPTIONS, value, 2, 2), message));
  }
});
