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
  type LayerMeasure,
} from "./controller.ts";
import { coefficientsMessage } from "./message.ts";
import { restoreController } from "./restore.ts";

const OPTIONS: ControllerOptions = {
  balancing: "adaptive",
  gain: 0.2,
  maxCoefficient: 0.01,
  smoothing: 0.5,
  initialCoefficient: 0.01,
  biasUpdateSpeed: 0.25,
  effectiveAfterSteps: 2,
  numExperts: 2,
  denseLayers: [],
};

/** One step's drop rates, layer by layer, under an even load. */
const measures = (drops: readonly number[]): LayerMeasure[] =>
  drops.map((dropRate, layer) => ({ layer, dropRate, expertLoad: [5, 5] }));

/** One step's loads of the layers, without drops. */
const loads = (...byLayer: number[][]): LayerMeasure[] =>
  byLayer.map((expertLoad, layer) => ({ layer, dropRate: 0, expertLoad }));

const foldAll = (options: ControllerOptions, state: ControllerState, rates: number[][]) =>
  rates.reduce((state, drops) => fold(options, state, state.lastStep + 1, measures(drops)), state);

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
    state = fold(OPTIONS, state, 1, measures([0, 0.02]));
    // 0.5·0.01 + 0.5·0, and 0.5·0.01 + 0.5·0.004
    assert.deepEqual(effective(state), { effectiveStep: 3, values: [0.005, 0.007] });
    state = fold(OPTIONS, state, 2, measures([0, 0.5]));
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
    assert.deepEqual(coefficientsAt(fold(OPTIONS, state, 1, measures([0])), 2), [0.01]);
  });

  it("takes steps in order and once, of the right size, with rates in 0..1", () => {
    const state = fold(OPTIONS, createController(OPTIONS, 1), 1, measures([0]));
    assert.throws(() => fold(OPTIONS, state, 1, measures([0])), /step 1 cannot follow step 1/);
    assert.throws(() => fold(OPTIONS, state, 3, measures([0])), /step 3 cannot follow step 1/);
    assert.throws(
      () => fold(OPTIONS, state, 2, measures([0, 0])),
      /layers 0, 1 were measured, 0 of 1 layers have experts/,
    );
    assert.throws(() => fold(OPTIONS, state, 2, measures([Number.NaN])), /drop rate NaN/);
    assert.throws(() => fold(OPTIONS, state, 2, measures([1.01])), /drop rate 1\.01/);
    const [measure] = loads([1, 2, 3]);
    assert.ok(measure);
    assert.throws(() => fold(OPTIONS, state, 2, [measure]), /measured 3 experts, the model has 2/);
    assert.throws(() => coefficientsAt(state, 1), /step 1 is not after step 1/);
  });

  it("leaves the state it was given untouched", () => {
    const state = createController(OPTIONS, 1);
    const before = JSON.stringify(state);
    fold(OPTIONS, state, 1, measures([0.3]));
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

describe("the controller of a model with dense layers", () => {
  const options = { ...OPTIONS, denseLayers: [0, 2] };
  const measured = [{ layer: 1, dropRate: 0.02, expertLoad: [5, 5] }];

  it("adapts the layers with experts alone, and leaves the others at 0", () => {
    const state = createController(options, 3);
    assert.deepEqual(effective(state).values, [0, 0.01, 0]);
    assert.deepEqual(effective(fold(options, state, 1, measured)).values, [0, 0.007, 0]);
  });

  it("moves no bias of a dense layer", () => {
    const bias = { ...options, balancing: "bias" as const };
    const state = fold(bias, createController(bias, 3), 1, [
      { layer: 1, dropRate: 0, expertLoad: [9, 1] },
    ]);
    assert.deepEqual(effective(state).biases, [
      [0, 0],
      [-0.25, 0.25],
      [0, 0],
    ]);
  });

  it("takes no measure of a dense layer", () =>
    assert.throws(
      () => fold(options, createController(options, 3), 1, measures([0, 0, 0])),
      /layers 0, 1, 2 were measured, 1 of 3 layers have experts/,
    ));
});

describe("the controller of biases", () => {
  const options = { ...OPTIONS, balancing: "bias" as const, initialCoefficient: 0.0001 };

  it("moves every expert's bias against its load, two steps later, as worked out by hand", () => {
    let state = createController(options, 2);
    const none = [
      [0, 0],
      [0, 0],
    ];
    assert.deepEqual(effective(state), {
      effectiveStep: 2,
      values: [0.0001, 0.0001],
      biases: none,
    });
    state = fold(options, state, 1, loads([7, 3], [5, 5]));
    const moved = [
      [-0.25, 0.25],
      [0, 0],
    ];
    assert.deepEqual(effective(state), {
      effectiveStep: 3,
      values: [0.0001, 0.0001],
      biases: moved,
    });
    // Each step adds to the newest biases, also to those not in force yet.
    state = fold(options, state, 2, loads([6, 4], [4, 6]));
    assert.deepEqual(effective(state).biases, [
      [-0.5, 0.5],
      [0.25, -0.25],
    ]);
    assert.deepEqual(
      state.scheduled.map(({ biases }) => biases),
      [moved, effective(state).biases],
    );
  });

  it("tells ranks the biases beside the coefficients, and without biases only these", () => {
    const state = fold(options, createController(options, 1), 1, loads([7, 3]));
    const message = coefficientsMessage(effective(state));
    assert.equal(message.effectiveStep, 3n);
    assert.deepEqual(
      message.biases.map(({ values }) => values),
      [[-0.25, 0.25]],
    );
    assert.deepEqual(coefficientsMessage(effective(createController(OPTIONS, 1))).biases, []);
  });

  it("goes on bit for bit after a checkpoint, wherever it was taken", () => {
    const load = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 2, maxLength: 2 });
    const runs = fc.array(fc.tuple(load, load), { maxLength: 10 });
    const follow = (law: ControllerOptions, from: ControllerState, steps: [number[], number[]][]) =>
      steps.reduce((state, step) => fold(law, state, state.lastStep + 1, loads(...step)), from);
    fc.assert(
      fc.property(runs, runs, lags, (before, after, effectiveAfterSteps) => {
        const law = { ...options, effectiveAfterSteps, biasUpdateSpeed: 0.001 };
        const middle = follow(law, createController(law, 2), before);
        const saved = JSON.parse(JSON.stringify(middle));
        const restored = restoreController(law, saved, 2, middle.lastStep);
        assert.deepEqual(effective(restored), effective(middle));
        assert.deepEqual(follow(law, restored, after), follow(law, middle, after));
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
  it("begins without biases where the checkpoint is of a run that had none", () => {
    const options = { ...OPTIONS, balancing: "bias" as const, initialCoefficient: 0 };
    const { scheduled } = restoreController(options, good, 2, 2);
    const biases = [
      [0, 0],
      [0, 0],
    ];
    assert.deepEqual(scheduled, [
      { effectiveStep: 3, values: [0, 0], biases },
      { effectiveStep: 4, values: [0, 0], biases },
    ]);
  });
  it("drops biases where the job balances otherwise", () => {
    const [first] = good.scheduled;
    const biased = {
      ...good,
      scheduled: [
        {
          ...first,
          biases: [
            [1, -1],
            [0, 0],
          ],
        },
      ],
    };
    const fixed = restoreController({ ...OPTIONS, balancing: "fixed" }, biased, 2, 2);
    assert.deepEqual(fixed.scheduled, [{ effectiveStep: 3, values: [0.01, 0.01] }]);
    const adaptive = restoreController(OPTIONS, biased, 2, 2);
    assert.ok(adaptive.scheduled.every((values) => !("biases" in values)));
  });
  const damaged: Record<string, [unknown, RegExp]> = {
    "something else": [{ steps: 3 }, /damaged/],
    "another step": [{ ...good, lastStep: 3 }, /of step 2, its controller of step 3/],
    "another model": [{ ...good, scheduled: [{ effectiveStep: 3, values: [0] }] }, /1 layers/],
    "biases of another model's experts": [
      { ...good, scheduled: [{ effectiveStep: 3, values: [0, 1], biases: [[0], [0]] }] },
      /has 1 experts, the model 2/,
    ],
    "biases of another model's layers": [
      { ...good, scheduled: [{ effectiveStep: 3, values: [0, 1], biases: [[0, 0]] }] },
      /has 1 layers, the model 2/,
    ],
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
