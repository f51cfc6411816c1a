import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MoestroError } from "../errors.ts";
import { placeRanks } from "./placement.ts";

test("every rank is placed once, consecutive ranks together, no agent over its room", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(8), { minLength: 1 }), fc.nat(), (slots, wish) => {
      const total = slots.reduce((sum, count) => sum + count, 0);
      const worldSize = total === 0 ? 0 : (wish % total) + 1;
      const placed = placeRanks(worldSize, slots);
      assert.deepEqual(placed.flat(), [...Array(worldSize).keys()]);
      assert.ok(placed.every((ranks, index) => ranks.length <= (slots[index] ?? 0)));
    }),
  );
});

test("too few slots are named with their number", () => {
  assert.throws(
    () => placeRanks(9, [4, 4]),
    (error) => error instanceof MoestroError && /needs 9 ranks .* room for 8/.test(error.message),
  );
});
