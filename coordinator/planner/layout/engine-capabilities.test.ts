import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type EngineRun, whyNotRunnable } from "./engine-capabilities.ts";

const RUN: EngineRun = {
  tensorParallel: 1,
  contextParallel: 1,
  pipelineParallel: 4,
  dataParallel: 1,
  expertParallel: 1,
  expertTensorParallel: 1,
  schedule: "1f1b",
  numMicroBatches: 8,
  optimizerSharding: "none",
  recompute: [],
};

describe("whyNotRunnable", () => {
  const cases: [what: string, changes: Partial<EngineRun>, told: RegExp | undefined][] = [
    ["1F1B with a micro-batch a rank", { numMicroBatches: 4 }, undefined],
    ["1F1B with fewer", { numMicroBatches: 3 }, /at least 4 micro-batches, not 3; use/],
    ["GPipe with fewer", { schedule: "gpipe", numMicroBatches: 3 }, undefined],
    ["interleaving in whole rounds", { schedule: "interleaved" }, undefined],
    ["interleaving else", { schedule: "interleaved", numMicroBatches: 9 }, /multiple of 2/],
    ["zero-bubble in parts", { schedule: "zero-bubble", recompute: ["selective"] }, /none or full/],
    ["zero-bubble in full", { schedule: "zero-bubble", recompute: ["none", "full"] }, undefined],
    ["DualPipeV with two a rank", { schedule: "dualpipev" }, undefined],
    ["DualPipeV with fewer", { schedule: "dualpipev", numMicroBatches: 7 }, /at least 8/],
    ["FSDP under 1F1B", { optimizerSharding: "fsdp" }, undefined],
    [
      "FSDP under zero-bubble",
      { optimizerSharding: "fsdp", schedule: "zero-bubble" },
      /use schedule gpipe, 1f1b or interleaved, or optimizerSharding zero1$/,
    ],
    [
      "ZeRO-1 under zero-bubble",
      { optimizerSharding: "zero1", schedule: "zero-bubble" },
      undefined,
    ],
    [
      "any of it without a pipeline",
      {
        pipelineParallel: 1,
        schedule: "zero-bubble",
        recompute: ["selective"],
        optimizerSharding: "fsdp",
        numMicroBatches: 1,
      },
      undefined,
    ],
  ];
  for (const [what, changes, told] of cases) {
    it(told === undefined ? `takes ${what}` : `refuses ${what}`, () => {
      const problem = whyNotRunnable({ ...RUN, ...changes });
      if (told === undefined) assert.equal(problem, undefined);
      else assert.match(problem?.message ?? "", told);
    });
  }
});
