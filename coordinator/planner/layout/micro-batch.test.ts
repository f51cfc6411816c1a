import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { preferredMicroBatches } from "./micro-batch.ts";
import { divisors } from "./sizes.ts";

const picked = (sequences: number, numStages: number, length: number) =>
  preferredMicroBatches(sequences, numStages, length, divisors(sequences))[0] as number;

describe("preferredMicroBatches", () => {
  it("takes the whole share without a pipeline, up to 8192 tokens", () => {
    assert.equal(picked(16, 1, 256), 16);
    assert.equal(picked(16, 1, 2048), 4);
    assert.equal(picked(16, 1, 1 << 20), 1);
  });
  it("keeps micro-batches small while the pipeline's bubble would grow", () => {
    assert.equal(picked(16, 4, 256), 1);
    assert.equal(picked(256, 4, 64), 8);
  });
  it("goes on with smaller ones, and has only those that the schedule can take", () => {
    assert.deepEqual(preferredMicroBatches(16, 1, 256, divisors(16)), [16, 8, 4, 2, 1]);
    assert.deepEqual(preferredMicroBatches(16, 1, 256, [1, 2]), [2, 1]);
    assert.deepEqual(preferredMicroBatches(16, 1, 1 << 20, [2, 4]), [2]);
  });
  it("always divides the share", () => {
    const share = fc.integer({ min: 1, max: 5000 });
    const stages = fc.integer({ min: 1, max: 64 });
    fc.assert(
      fc.property(share, stages, fc.integer({ min: 1, max: 10_000 }), (sequences, p, length) => {
        assert.equal(sequences % picked(sequences, p, length), 0);
      }),
    );
  });
});
