import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { fixtureJob } from "../../spec/job-fixture.ts";
import { PRESETS } from "../../spec/presets.ts";
import { compositions } from "../partition/testing.ts";
import { countParameters, countRankParameters } from "./parameters.ts";

const { job } = await fixtureJob();
const withDefaults = (moe: { experts: number; topK: number }) => ({ ...job.moe, ...moe });

describe("countParameters", () => {
  it("gives Skywork-MoE's 146.4 B, of which 22.7 B are active", () => {
    const { model, moe } = PRESETS["skywork-moe-146b"];
    const { total, active } = countParameters(model, withDefaults(moe));
    // 52·(4h² + 16·3·h·f + 16h) + 2·V·h, the norms' (2·52 + 1)·h, 16 biases a gate.
    const [h, f] = [4608, 12_288];
    const rest = (2 * 52 + 1) * h + 52 * 16;
    assert.equal(total, 52 * (4 * h * h + 48 * h * f + 16 * h) + 2 * 65_536 * h + rest);
    assert.equal((total / 1e9).toFixed(1), "146.4");
    assert.equal((active / 1e9).toFixed(1), "22.7");
  });

  it("gives Mixtral 8x7B's 46.7 B, of which 12.9 B are active", () => {
    const { model, moe } = PRESETS["mixtral-8x7b"];
    const { total, active } = countParameters(model, withDefaults(moe));
    // The published model has no biases in its gates, 8 in each of 32 layers here.
    assert.equal(total, 46_702_792_704 + 32 * 8);
    assert.equal((active / 1e9).toFixed(1), "12.9");
  });

  it("counts tied embeddings once", () => {
    const tied = countParameters({ ...job.model, tiedEmbeddings: true }, job.moe);
    assert.equal(countParameters(job.model, job.moe).total - tied.total, 256 * 192);
  });
});

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
            countRankParameters(job.model, job.moe, alone, {
              numLayers,
              hasEmbedding: index === 0,
              hasHead: index === split.length - 1,
            }),
          );
          const sum = parts.reduce((a, b) => a + b, 0);
          assert.equal(sum, countParameters(job.model, job.moe).total);
        },
      ),
    );
  });

  it("halves attention and experts under EDP of two, but not gate and norms", () => {
    const stage = { numLayers: 1, hasEmbedding: false, hasHead: false };
    const edp = { ...alone, tensorParallel: 2, expertParallel: 2 };
    const gateAndNorms = (192 + 1) * 8 + 2 * 192;
    const one = countRankParameters(job.model, job.moe, alone, stage) - gateAndNorms;
    const two = countRankParameters(job.model, job.moe, edp, stage) - gateAndNorms;
    assert.equal(two, one / 2);
  });

  it("keeps a whole key-value head when there are more ranks than heads", () => {
    const stage = { numLayers: 1, hasEmbedding: false, hasHead: false };
    const rank = (tensorParallel: number) =>
      countRankParameters(job.model, job.moe, { ...alone, tensorParallel }, stage);
    // 6 query heads go from 3 to 1 a rank, 2 key-value heads stay at 1.
    assert.equal(rank(2) - rank(6), 192 * 32 * 2 * (3 - 1));
  });
});
