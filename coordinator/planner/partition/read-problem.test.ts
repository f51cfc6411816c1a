import assert from "node:assert/strict";
import { test } from "node:test";
import { MoestroError } from "../../errors.ts";
import { readProblem } from "./read-problem.ts";

const LAYER = { name: "a", forwardMs: 1, backwardMs: 2, staticBytes: 3 };
const PROBLEM = { stages: 1, microBatches: 2, memoryBytes: 10, layers: [LAYER, LAYER] };

test("latency defaults to none, and options to one that keeps everything for free", () => {
  const { p2pMs, layers } = readProblem(JSON.stringify(PROBLEM), "p.json");
  assert.equal(p2pMs, 0);
  assert.deepEqual(layers[0]?.options, [{ name: "none", extraBackwardMs: 0, activationBytes: 0 }]);
});

test("a byte order mark in front is passed over", () => {
  assert.equal(readProblem(`\uFEFF${JSON.stringify(PROBLEM)}`, "p.json").stages, 1);
});

const option = { name: "none", extraBackwardMs: 0, activationBytes: 0 };
const WRONG: [what: string, text: string, message: RegExp][] = [
  ["text that is not JSON", "{", /^p\.json: not JSON/],
  ["a list", "[]", /^p\.json: \[\] is not an object; use one with stages/],
  ["an unknown field", edit({ stage: 1 }), /^p\.json: stage: unknown field; use stages/],
  ["no stages", edit({ stages: 0 }), /^p\.json: stages: 0 is not a count/],
  ["half a stage", edit({ stages: 1.5 }), /^p\.json: stages: 1.5 is not a count/],
  ["more stages than layers", edit({ stages: 3 }), /^p\.json: stages: 3 for 2 layers/],
  ["too short a memory list", edit({ memoryBytes: [] }), /^p\.json: memoryBytes: 0 entries for 1/],
  ["no memory", edit({ memoryBytes: undefined }), /^p\.json: memoryBytes: nothing is not/],
  ["no layers", edit({ layers: [] }), /^p\.json: layers: \[\] is not a list of layers/],
  ["huge numbers", edit({ p2pMs: 1e300 }), /^p\.json: p2pMs: 1e\+300 is not an amount/],
  ["too many micro-batches", edit({ microBatches: 1e9 }), /^p\.json: microBatches: 1000000000 on/],
  [
    "a negative time",
    edit({ layers: [LAYER, { ...LAYER, forwardMs: -1 }] }),
    /^p\.json: layers\[1\]\.forwardMs: -1 is not an amount of milliseconds; use a number from 0/,
  ],
  [
    "a time that is not a number, which JSON writes as null",
    edit({ layers: [{ ...LAYER, backwardMs: Number.NaN }] }),
    /^p\.json: layers\[0\]\.backwardMs: null is not an amount/,
  ],
  [
    "a layer without options",
    edit({ layers: [{ ...LAYER, options: [] }] }),
    /^p\.json: layers\[0\]\.options: \[\] is not a list of options; use at least one$/,
  ],
  [
    "two options of one name",
    edit({ layers: [{ ...LAYER, options: [option, option] }] }),
    /^p\.json: layers\[0\]\.options: two are named "none"/,
  ],
  ["a memory that is no number", '{"memoryBytes": NaN}', /^p\.json: not JSON/],
  [
    "too long a memory list",
    edit({ memoryBytes: [1, 2] }),
    /^p\.json: memoryBytes: 2 entries for 1/,
  ],
  [
    "100,000 layers",
    edit({ layers: Array(100_000).fill(LAYER) }),
    /^p\.json: layers: 100000 layers are too many; use at most 1000$/,
  ],
  [
    "a number as large as there is",
    edit({ layers: [{ ...LAYER, staticBytes: 1e308 }] }),
    /^p\.json: layers\[0\]\.staticBytes: 1e\+308 is not an amount of bytes/,
  ],
  [
    "an unknown field whose name has two lines",
    edit({ "a\nb": 1 }),
    /^p\.json: "a\\nb": unknown field; use stages/,
  ],
  [
    "an unknown field of an option",
    edit({ layers: [{ ...LAYER, options: [{ ...option, ms: 1 }] }] }),
    /^p\.json: layers\[0\]\.options\[0\]\.ms: unknown field; use name, extraBackwardMs/,
  ],
  [
    "hundreds of options",
    edit({
      layers: [
        { ...LAYER, options: Array.from({ length: 200 }, (_, i) => ({ ...option, name: `${i}` })) },
      ],
    }),
    /^p\.json: layers\[0\]\.options: 200 are too many; use at most 32$/,
  ],
  [
    "weight gradients that take longer than backward",
    edit({ layers: [{ ...LAYER, weightGradMs: 3 }] }),
    /^p\.json: layers\[0\]\.weightGradMs: 3 is too long: it is a part of backwardMs, 2/,
  ],
];

for (const [what, text, message] of WRONG) {
  test(`${what}: refused in one line that names the field`, () => {
    assert.throws(
      () => readProblem(text, "p.json"),
      (error) => {
        assert.ok(error instanceof MoestroError);
        assert.equal(error.exitCode, 2);
        assert.match(error.message, message);
        assert.ok(!error.message.includes("\n"));
        return true;
      },
    );
  });
}

function edit(changes: object): string {
  return JSON.stringify({ ...PROBLEM, ...changes });
}
