import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { editDistance, nearestName } from "./suggest.ts";

describe("editDistance", () => {
  it("counts insertions, deletions, replacements and swaps of neighbours", () => {
    assert.equal(editDistance("steps", "steps"), 0);
    assert.equal(editDistance("step", "steps"), 1);
    assert.equal(editDistance("setps", "steps"), 1);
    assert.equal(editDistance("kitten", "sitting"), 3);
  });
  it("is symmetric, and zero for equal words only", () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        assert.equal(editDistance(a, b), editDistance(b, a));
        assert.equal(editDistance(a, b) === 0, a === b);
      }),
    );
  });
});

describe("nearestName", () => {
  const names = ["learningRate", "minLearningRate", "steps", "topK"];
  it("finds another spelling of a name", () => {
    assert.equal(nearestName("learning_rate", names), "learningRate");
    assert.equal(nearestName("topk", names), "topK");
    assert.equal(nearestName("stpes", names), "steps");
  });
  it("finds nothing for a word that is far from all", () => {
    assert.equal(nearestName("epochs", names), undefined);
    assert.equal(nearestName("x".repeat(100_000), names), undefined);
  });
});
