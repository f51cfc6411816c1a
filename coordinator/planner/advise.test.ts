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
});
