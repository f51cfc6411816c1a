import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { fixtureJob, type JobChanges } from "../spec/job-fixture.ts";
import { describePlan } from "./describe-plan.ts";
import { planJob } from "./plan-job.ts";
import { wrap } from "./text-table.ts";

const textOf = async (changes: JobChanges, color: boolean) => {
  const { job } = await fixtureJob(changes);
  return describePlan(planJob(job), job, { color });
};

describe("describePlan", () => {
  it("shows layout, stages and balance to a person", async () => {
    const text = await textOf({ model: { layers: 7 } }, false);
    const facts = text.slice(0, text.indexOf("Why")).trimEnd().split("\n");
    assert.deepEqual(facts, [
      "Plan for fixture",
      "  7 layers, 8 experts each, top-2; 9.06 M parameters, 2.86 M active per token",
      "",
      "Layout",
      "  scheme     edp (expert data parallelism), 4 ranks, order tp-cp-ep-dp-pp",
      "  attention  tensor 2 x context 1 x data 1 x pipeline 2",
      "  experts    tensor 1 x expert 2 x data 1 x pipeline 2",
      "  batch      16 sequences = 4 micro-batches x 4 x data 1, 1F1B",
      "",
      "Stages (experts and parameters of one rank)",
      "  stage  layers  which  experts  params  work",
      "  0      4       0-3    4        2.61 M  56.2 %  ####################  embedding",
      "  1      3       4-6    4        1.97 M  43.8 %  ################....  head",
      "",
      "Predicted",
      "  balance 88.9 % (mean rank over slowest), bubble 21.9 % of rank time",
      "  one step 2.485e+10 FLOPs of a rank, lower bound 2.485e+10 (gap 0.00 %)",
      "  peak memory of a rank, by pipeline rank: 613 MiB, 554 MiB",
    ]);
    assert.match(text, /EDP makes the 2 tensor-parallel ranks of attention the expert-parallel/);
  });

  it("stays within 100 columns, with many stages and recomputed layers too", async () => {
    const changes = {
      model: { layers: 480, heads: 24, kvHeads: 24, headDim: 64, hiddenSize: 16_384 },
      layout: { pipelineParallel: 240, tensorParallel: 4, recompute: "full" },
      moe: { experts: 64 },
      training: { globalBatchSize: 960, sequenceLength: 8192 },
      cluster: { ranks: 960 },
    };
    const lines = (await textOf(changes, false)).split("\n");
    assert.ok(lines.length > 240);
    assert.ok(Math.max(...lines.map((line) => line.length)) <= 100);
  });

  it("says the same with colours and without", async () => {
    const plain = await textOf({}, false);
    const colored = await textOf({}, true);
    assert.notEqual(colored, plain);
    assert.equal(stripVTControlCharacters(colored), plain);
  });
});

describe("wrap", () => {
  it("breaks at spaces and indents what follows, leaving long words whole", () => {
    assert.deepEqual(wrap("one two three", 9, "- ", "  "), ["- one two", "  three"]);
    assert.deepEqual(wrap("incomprehensible", 9, "- ", "  "), ["- incomprehensible"]);
  });
});
