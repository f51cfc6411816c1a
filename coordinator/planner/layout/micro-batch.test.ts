import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { pickMicroBatchSize } from "./micro-batch.ts";

describe("pickMicroBatchSize", () => {
  it("takes the whole share without a pipeline, up to 8192 tokens", () => {
    assert.equal(pickMicroBatchSize(16, 1, 256), 16);
    assert.equal(pickMicroBatchSize(16, 1, 2048), 4);
    assert.equal(pickMicroBatchSize(16, 1, 1 << 20), 1);
  });
  it("keeps micro-batches small while the pipeline's bubble would grow", () => {
    assert.equal(pickMicroBatchSize(16, 4, 256), 1);
    assert.equal(pickMicroBatchSize(256, 4, 64), 8);
  });
  it("always divides the share", () => {
    const share = fc.integer({ min: 1, max: 5000 });
    const stages = fc.integer({ min: 1, max: 64 });
    fc.assert(
      fc.property(share, stages, fc.integer({ min: 1, max: 10_000 }), (sequences, p, length) => {
        assert.equal(sequences % pickMicroBatchSize(sequences, p, length), 0);
      }),
    );
  });
});
