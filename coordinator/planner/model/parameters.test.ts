import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fixtureJob } from "../../spec/job-fixture.ts";
import { compositions } from "../partition/testing.ts";
import { countModelParameters } from "./count-parameters.ts";
import { countRankParameters } from "./parameters.ts";
import { shapeOfJob } from "./shape-of-job.ts";

const { job } = await fixtureJob();
const shape = shapeOfJob(job);

describe("countRankParameters", () => {
  const alone = {
    tensorParallel: 1,
    contextParallel: 1,
    pipelineParallel: 1,
    dataParallel: 1,
    expertParallel: 1,
    expertTensorParallel: 1,
  };

  it("adds up to the whole model over the stages, however it is cut", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...[1, 2, 3, 6].flatMap((p) => [...compositions(job.model.layers, p)])),
        (split) => {
          const parts = split.map((numLayers, index) =>
            countRankParameters(shape, alone, {
              firstLayer: 0,
              numLayers,
              hasEmbedding: index === 0,
              hasHead: index === split.length - 1,
            }),
          );
          const sum = parts.reduce((a, b) => a + b, 0);
          assert.equal(sum, countModelParameters(shape).total);
        },
      ),
    );
  });

  it("halves attention and experts under EDP of two, but not gate and norms", () => {
    const stage = { firstLayer: 0, numLayers: 1, hasEmbedding: false, hasHead: false };
    const edp = { ...alone, tensorParallel: 2, expertParallel: 2 };
    const gateAndNorms = (192 + 1) * 8 + 2 * 192;
    const one = countRankParameters(shape, alone, stage) - gateAndNorms;
    const two = countRankParameters(shape, edp, stage) - gateAndNorms;
    assert.equal(two, one / 2);
  });

  it("keeps a whole key-value head when there are more ranks than heads", () => {
    const stage = { firstLayer: 0, numLayers: 1, hasEmbedding: false, hasHead: false };
    const rank = (tensorParallel: number) =>
      countRankParameters(shape, { ...alone, tensorParallel }, stage);
    // 6 query heads go from 3 to 1 a rank, 2 key-value heads stay at 1.
    assert.equal(rank(2) - rank(6), 192 * 32 * 2 * (3 - 1));
  });

  it("counts a tied table once on a stage with both ends, and on both stages otherwise", () => {
    const tied = { ...shape, tiedEmbeddings: true };
    const stage = { firstLayer: 0, numLayers: 6, hasEmbedding: true, hasHead: true };
    const table = 256 * 192;
    const both = (of: typeof shape) => countRankParameters(of, alone, stage);
    assert.equal(both(shape) - both(tied), table);
    const first = { ...stage, hasHead: false };
    assert.equal(countRankParameters(tied, alone, first), countRankParameters(shape, alone, first));
  });
});
