import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareNames } from "./compare-names.ts";

test("numbers in names count, wherever they are, and the rest is text", () => {
  const sorted = (...names: string[]) => names.sort(compareNames);
  assert.deepEqual(sorted("n10", "n2", "n1"), ["n1", "n2", "n10"]);
  assert.deepEqual(sorted("x-agents-10-abcde", "x-agents-2-zzzzz", "x-agents-2-aaaaa"), [
    ...["x-agents-2-aaaaa", "x-agents-2-zzzzz", "x-agents-10-abcde"],
  ]);
  assert.deepEqual(sorted("b", "a10", "a", "a9"), ["a", "a9", "a10", "b"]);
});

test("the order is one", () => {
  const name = fc.stringMatching(/^[ab019-]{0,6}$/);
  fc.assert(
    fc.property(name, name, name, (a, b, c) => {
      assert.equal(Math.sign(compareNames(a, b)), -Math.sign(compareNames(b, a)) || 0);
      assert.equal(compareNames(a, b) === 0, a === b);
      if (compareNames(a, b) < 0 && compareNames(b, c) < 0) assert.ok(compareNames(a, c) < 0);
    }),
  );
});
