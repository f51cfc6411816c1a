import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { clip, displayWidth, sanitize, toAscii } from "./text.ts";

test("wide characters take two columns, combining ones none, a joined emoji two", () => {
  assert.equal(displayWidth("plain"), 5);
  assert.equal(displayWidth("α 0.1–0.2 ██▒"), 13);
  assert.equal(displayWidth("漢字"), 4);
  assert.equal(displayWidth("e\u0301"), 1);
  assert.equal(displayWidth("👩‍👩‍👧"), 2);
  assert.equal(displayWidth("a\u200bb"), 2);
});

test("clipping never cuts a character in two", () => {
  assert.equal(clip("漢字", 3), "漢");
  assert.equal(clip("a👩‍👩‍👧b", 2), "a");
  assert.equal(clip("e\u0301x", 1), "e\u0301");
  assert.equal(clip("abc", 0), "");
});

test("text of others cannot steer the terminal, break the line or turn the direction", () => {
  assert.equal(sanitize("a\u001b[2J\u001b]0;title\u0007b\r\nc\td\u202ee"), "ab c d e");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they must be gone.
      assert.doesNotMatch(sanitize(text), /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
    }),
  );
});

test("without UTF-8 everything is ASCII", () => {
  assert.equal(toAscii("α 1–2 × 漢…"), "alpha 1-2 x ?...");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.match(toAscii(text), /^[\u0020-\u007e]*$/);
    }),
  );
});
