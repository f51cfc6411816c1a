import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AdviceInput, advise } from "./advise.ts";
import { MODEL_SHAPES } from "./model/shapes.ts";

const input = (ratio: number | null): AdviceInput => {
  const dense = { name: "skywork-13b", shape: MODEL_SHAPES["skywork-13b"], tokens: 3e12 };
  const shape = MODEL_SHAPES["skywork-moe-146b"];
  const probe = advise({
    moe: { name: "moe", shape, tokens: 1e12 },
    dense,
    sequenceLength: 8192,
  });
  const tokens = ratio === null ? 1e12 : (1e12 * ratio) / (probe.ratio ?? 1);
  return {
    moe: { name: "moe", shape, tokens },
    dense: ratio === null ? null : dense,
    sequenceLength: 8192,
  };
};

describe("advise", () => {
  const cases: Record<string, [number | null, string, string]> = {
    "upcycles when the budget is a tenth of the sunk cost": [0.1, "upcycle", "much-less"],
    "upcycles just under half of it": [0.499, "upcycle", "much-less"],
    "upcycles to save cost from half of it": [0.501, "upcycle", "between"],
    "upcycles to save cost just under twice of it": [1.999, "upcycle", "between"],
    "trains from scratch from twice of it": [2.001, "scratch", "at-least-twice"],
    "trains from scratch without a dense checkpoint": [null, "scratch", "no-dense-checkpoint"],
  };
  for (const [name, [ratio, decision, rule]] of Object.entries(cases)) {
    it(name, () => {
      const advice = advise(input(ratio));
      assert.deepEqual([advice.decision, advice.rule], [decision, rule]);
    });
  }

  it("counts 6 FLOPs a token and active parameter, with attention on top", () => {
    const { moe } = advise(input(1));
    const perParameter = moe.flops / moe.tokens / moe.activeParameters;
    assert.ok(perParameter > 6 && perParameter < 7, String(perParameter));
  });

  it("finds the 13B's FFN copyable into the 146B's experts, but for the vocabulary", () =>
    assert.deepEqual(advise(input(1)).warnings, [
      "The dense model's weights cannot all be copied as they are: vocabulary 65519 where the MoE model has 65536.",
    ]));

  const from = (source: keyof typeof MODEL_SHAPES, target: keyof typeof MODEL_SHAPES) =>
    advise({
      moe: { name: "moe", shape: MODEL_SHAPES[target], tokens: 1e11 },
      dense: { name: "dense", shape: MODEL_SHAPES[source], tokens: 1e13 },
      sequenceLength: 4096,
    });

  it("does not upcycle an MoE model, nor one of other sizes", () => {
    const { decision, rule, reason } = from("deepseek-v3", "mixtral-8x7b");
    assert.deepEqual([decision, rule], ["scratch", "nothing-to-copy"]);
    assert.match(reason, /an MoE model itself, hidden size 7168 where the MoE model has 4096/);
    assert.match(from("llama2-13b", "mixtral-8x7b").reason, /hidden size 5120 .*layers 40 /);
    assert.match(from("llama3-8b", "mixtral-8x7b").reason, /upcycled: vocabulary 128256 where/);
  });

  it("upcycles Mistral 7B into Mixtral 8x7B", () =>
    assert.deepEqual(from("mistral-7b", "mixtral-8x7b").warnings, []));
});
