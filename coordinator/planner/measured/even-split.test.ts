import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { evenSplit } from "./even-split.ts";

test("DeepSeek-V3's 61 layers and an MTP on 8 ranks of 4 chunks lie as NVIDIA's layout has them", () => {
  assert.deepEqual(evenSplit(61, 8, 4, 1), [7, 8, 8, 8, 8, 8, 8, 6]);
});

test("Qwen3's 94 layers on 8 ranks of 4 chunks leave room for the embedding and the head", () => {
  assert.deepEqual(evenSplit(94, 8, 4, 0), [11, 12, 12, 12, 12, 12, 12, 11]);
});

test("52 layers on 12 ranks of one chunk put the odd ones inside", () => {
  assert.deepEqual(evenSplit(52, 12, 1, 0), [4, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4]);
});

test("every layer lies on one rank, whatever the chunks", () => {
  const size = fc.integer({ min: 1, max: 8 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), size, size, (layers, ranks, chunks) => {
      const split = evenSplit(layers, ranks, chunks, 0);
      assert.equal(split.length, ranks);
      assert.equal(
        split.reduce((sum, held) => sum + held, 0),
        layers,
      );
    }),
  );
});
