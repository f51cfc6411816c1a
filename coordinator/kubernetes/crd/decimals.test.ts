import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decimalOf, decimalPattern, MAX_DECIMAL_LENGTH, valueOfDecimal } from "./decimals.ts";

const anyNumber = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map(Math.abs);

describe("a number as text", () => {
  it("is what the pattern allows, and comes back as it was", () =>
    fc.assert(
      fc.property(anyNumber, (number) => {
        const text = String(decimalOf(number));
        assert.match(text, new RegExp(decimalPattern([])));
        assert.ok(text.length <= MAX_DECIMAL_LENGTH);
        assert.equal(valueOfDecimal(text, []), number);
      }),
    ));

  it("is the pattern's and the reader's to refuse alike", () =>
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9eE.+-]{0,8}$|^false$/), (text) => {
        for (const words of [[], [false]]) {
          const isAllowed = new RegExp(decimalPattern(words)).test(text);
          assert.equal(valueOfDecimal(text, words) !== undefined, isAllowed, text);
        }
      }),
    ));
});
