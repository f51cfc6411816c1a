import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Gather } from "./gather.ts";

test("a step is handed over once, in source order, whatever order the reports come in", () => {
  const sources = [3, 1, 2];
  const arrivals = [1n, 2n, 3n].flatMap((step) => sources.map((source) => ({ step, source })));
  fc.assert(
    fc.property(fc.shuffledSubarray(arrivals, { minLength: arrivals.length }), (order) => {
      const gather = new Gather<number, string>(sources);
      const complete = new Map<bigint, string[]>();
      for (const { step, source } of order) {
        const items = gather.add(step, source, `${step}/${source}`);
        if (items) complete.set(step, items);
      }
      assert.equal(complete.size, 3);
      for (const [step, items] of complete) {
        assert.deepEqual(items, [`${step}/3`, `${step}/1`, `${step}/2`]);
      }
    }),
  );
});

test("a source that reports a step twice, or has no part, is refused", () => {
  const gather = new Gather<string, number>(["a", "b"]);
  gather.add(1n, "a", 1);
  assert.throws(() => gather.add(1n, "a", 2), /twice/);
  assert.throws(() => gather.add(1n, "c", 3), /not one of/);
});
