import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { countModelParameters, partParameters } from "./count-parameters.ts";
import { MODEL_SHAPES, type ModelName } from "./shapes.ts";

/** Billions: total and active as published; active with or without the lookup table. */
const PUBLISHED: Partial<
  Record<ModelName, { total: number; active?: number; activeWithoutEmbedding?: number }>
> = {
  "skywork-moe-146b": { total: 146.4, active: 22.7 },
  "mixtral-8x7b": { total: 46.7, active: 12.9 },
  "mixtral-8x22b": { total: 140.6, active: 39.1 },
  "mixtral-8x22b-g8t8": { total: 140.6 },
  "qwen2-57b-a14b": { total: 57.4, active: 14.25 },
  "qwen3-30b-a3b": { total: 30.5, active: 3.34 },
  "qwen3-235b-a22b": { total: 235.1, active: 22.2 },
  "deepseek-moe-16b": { total: 16.4, active: 2.83 },
  "deepseek-v2-lite": { total: 15.7, active: 2.66 },
  "deepseek-v2": { total: 236, active: 21.4 },
  "deepseek-v3": { total: 671, activeWithoutEmbedding: 36.7 },
  "grok-1": { total: 314 },
  dbrx: { total: 131.6, active: 36.5 },
  "gpt-oss-20b": { total: 20.91, activeWithoutEmbedding: 3.61 },
  "gpt-oss-120b": { total: 116.83, activeWithoutEmbedding: 5.13 },
  "skywork-13b": { total: 13.85 },
  "llama2-7b": { total: 6.74 },
  "llama2-13b": { total: 13.02 },
  "llama2-70b": { total: 68.98 },
  "llama3-8b": { total: 8.03 },
  "llama3-70b": { total: 70.55 },
  "llama3-405b": { total: 405.9 },
  "mistral-7b": { total: 7.24 },
  "qwen3-8b": { total: 8.19 },
  "qwen3-14b": { total: 14.77 },
  "qwen3-32b": { total: 32.76 },
};

describe("countModelParameters", () => {
  for (const [name, published] of Object.entries(PUBLISHED)) {
    it(`agrees with what is published of ${name} to 1 %`, () => {
      const counted = countModelParameters(MODEL_SHAPES[name as ModelName]);
      for (const [key, billions] of Object.entries(published)) {
        const error = counted[key as keyof typeof published] / (billions * 1e9) - 1;
        assert.ok(Math.abs(error) < 0.01, `${key}: ${counted[key as "total"]}, ${error}`);
      }
    });
  }

  it("has every preset's published count", () =>
    assert.deepEqual(Object.keys(PUBLISHED).sort(), Object.keys(MODEL_SHAPES).sort()));

  it("keeps the MTP layer of DeepSeek-V3 apart: 11.5 billion without the shared tables", () =>
    assert.equal(Math.round(countModelParameters(MODEL_SHAPES["deepseek-v3"]).mtp / 1e8), 116));
});

describe("partParameters", () => {
  const whole = {
    tensorParallel: 1,
    contextParallel: 1,
    pipelineParallel: 4,
    dataParallel: 1,
    expertParallel: 1,
    expertTensorParallel: 1,
  };

  it("splits attention over TP and experts over EP and ETP, but norms and router over none", () => {
    const shape = MODEL_SHAPES["skywork-moe-146b"];
    const [h, f] = [4608, 12_288];
    const sizes = { ...whole, tensorParallel: 4, expertParallel: 4, expertTensorParallel: 2 };
    assert.deepEqual(partParameters(shape, "moe", sizes), {
      dense: h * h + 16 * h + 2 * h,
      expert: (4 * 3 * h * f) / 2,
    });
  });

  it("shares out every weight of the matrices over the ranks, none twice", () => {
    const power = (max: number) => fc.nat({ max }).map((exponent) => 2 ** exponent);
    const names = fc.constantFrom<ModelName>("mixtral-8x22b", "dbrx", "grok-1");
    fc.assert(
      fc.property(names, power(3), power(3), power(2), (name, tp, ep, etp) => {
        const shape = MODEL_SHAPES[name];
        const repeated = shape.hiddenSize * ((shape.moe?.experts ?? 0) + shape.normsPerLayer);
        const sizes = {
          ...whole,
          tensorParallel: tp,
          expertParallel: ep,
          expertTensorParallel: etp,
        };
        const one = partParameters(shape, "moe", whole);
        const rank = partParameters(shape, "moe", sizes);
        assert.equal((rank.dense - repeated) * tp + repeated, one.dense);
        assert.equal(rank.expert * ep * etp, one.expert);
      }),
    );
  });

  it("repeats key-value heads when TP exceeds them", () => {
    const shape = MODEL_SHAPES["qwen3-30b-a3b"];
    const { dense } = partParameters(shape, "moe", { ...whole, tensorParallel: 8 });
    const [h, d] = [2048, 128];
    assert.equal(dense, 2 * h * d * (4 + 1) + 2 * d + 128 * h + 2 * h);
  });

  it("holds a tied table once on one stage, and on both ends of a pipeline", () => {
    const shape = MODEL_SHAPES["grok-1"];
    const table = 131_072 * 6144;
    assert.equal(partParameters(shape, "head", whole).dense, table + 6144);
    assert.equal(partParameters(shape, "head", { ...whole, pipelineParallel: 1 }).dense, 6144);
  });
});
