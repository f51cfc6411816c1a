import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { importHuggingFaceConfig } from "./hugging-face.ts";
import { fixtureJob, fixtureText, type JobChanges, refusal } from "./job-fixture.ts";
import { PRESETS } from "./presets.ts";

const lines = async (changes: JobChanges) =>
  (await refusal(fixtureText(changes))).map((line) => line.replace(/^job\.yaml:\d+:\d+: /, ""));

describe("rules of gate, capacity and balancing", () => {
  const cases: Record<string, [JobChanges, string]> = {
    "an order of dropping where nothing is dropped": [
      { moe: { capacityFactor: "dropless", dropPolicy: "position" } },
      "moe.dropPolicy: position needs a capacity, but capacityFactor is dropless; give it a number, or remove this",
    ],
    "no padding of what has no places": [
      { moe: { capacityFactor: "dropless", padding: false } },
      "moe.padding: false needs a capacity, but capacityFactor is dropless; give it a number, or remove this",
    ],
    "biases of a choice that takes every expert": [
      { moe: { topK: 8, balancing: "bias" } },
      "moe.balancing: bias changes which experts are chosen, but topK 8 chooses all of them; use fixed or none",
    ],
    "more choices than experts": [
      { moe: { topK: 9 } },
      "moe.topK: 9 is more than moe.experts 8; use at most 8",
    ],
    "a z-loss that rewards large logits": [
      { moe: { zLoss: -0.001 } },
      "moe.zLoss: -0.001 is out of range; use a number of at least 0",
    ],
    "a gate of shared experts that are not there": [
      { model: { sharedExpertGate: true } },
      "model.sharedExpertGate: needs shared experts; add sharedFfnHiddenSize, or remove it",
    ],
  };
  for (const [name, [changes, line]] of Object.entries(cases)) {
    it(`refuse ${name}`, async () => assert.deepEqual(await lines(changes), [line]));
  }

  it("take every variant that trains", async () => {
    const moe = { gateFunction: "sigmoid", renormalize: false, dropPolicy: "position" };
    const { job } = await fixtureJob({
      moe: { ...moe, padding: false, zLoss: 0.001, balancing: "bias" },
    });
    assert.equal(job.moe.gateFunction, "sigmoid");
  });
});

describe("gates of published models", () => {
  it("are those of their reports and config files", () => {
    const { gateFunction, balancing, renormalize } = PRESETS["deepseek-v3"].moe;
    assert.deepEqual([gateFunction, balancing, renormalize], ["sigmoid", "bias", undefined]);
    assert.equal(PRESETS["deepseek-v2"].moe.renormalize, false);
    // Mixtral's softmax over the chosen logits is the renormalised softmax over all of them.
    assert.equal(PRESETS["mixtral-8x7b"].moe.renormalize, undefined);
    assert.equal(PRESETS["skywork-moe-146b"].moe.gateNormalization, 1);
  });

  const deepseek = {
    ...{ model_type: "deepseek_v3", hidden_size: 64, intermediate_size: 96, vocab_size: 512 },
    ...{ num_hidden_layers: 2, num_attention_heads: 4, moe_intermediate_size: 32 },
    ...{ n_routed_experts: 8, num_experts_per_tok: 2, kv_lora_rank: 16 },
    ...{ qk_nope_head_dim: 16, qk_rope_head_dim: 8, v_head_dim: 16 },
  };

  it("are read from DeepSeek's fields, which default by version", () => {
    const gate = (fields: object) => {
      const { moe } = importHuggingFaceConfig({ ...deepseek, ...fields });
      return [moe.gateFunction, moe.balancing, moe.renormalize];
    };
    assert.deepEqual(gate({ topk_method: "noaux_tc" }), ["sigmoid", "bias", undefined]);
    assert.deepEqual(gate({ norm_topk_prob: false }), ["sigmoid", "fixed", false]);
    assert.deepEqual(gate({ model_type: "deepseek_v2" }), [undefined, "fixed", false]);
    assert.deepEqual(gate({ scoring_func: "softmax" }), [undefined, "fixed", undefined]);
    assert.throws(() => gate({ scoring_func: "tanh" }), /scoring_func: "tanh" is not supported/);
  });
});
