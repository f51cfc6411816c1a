import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { readWeightsConfig, type WeightsUse } from "./hugging-face-weights.ts";

const LLAMA = {
  model_type: "llama",
  hidden_act: "silu",
  hidden_size: 64,
  intermediate_size: 96,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  num_hidden_layers: 2,
  rms_norm_eps: 1e-5,
  rope_theta: 5e5,
  vocab_size: 300,
  max_position_embeddings: 1024,
};
const MIXTRAL = {
  ...LLAMA,
  model_type: "mixtral",
  rope_theta: undefined,
  num_local_experts: 4,
  num_experts_per_tok: 2,
};
const UPCYCLE: WeightsUse = { kind: "upcycle", experts: 16, topK: 2 };

describe("readWeightsConfig", () => {
  const folder = mkdtempSync(join(tmpdir(), "moestro-weights-"));
  after(() => rmSync(folder, { recursive: true }));
  const read = (config: object, use: WeightsUse) => {
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    return readWeightsConfig(folder, use);
  };

  it("gives a dense model the experts asked for, and a router without bias", async () => {
    const { model, moe, maxPositions } = await read(LLAMA, UPCYCLE);
    assert.deepEqual([moe.experts, moe.topK, moe.capacityFactor], [16, 2, "dropless"]);
    assert.deepEqual([model.routerBias, model.ropeTheta, model.headDim], [false, 5e5, 16]);
    assert.equal(maxPositions, 1024);
  });

  it("takes a Mixtral's experts as they are, with its family's own base of RoPE", async () => {
    const { model, moe } = await read(MIXTRAL, { kind: "import" });
    assert.deepEqual([moe.experts, moe.topK, moe.gateNormalization], [4, 2, 0]);
    assert.equal(model.ropeTheta, 1e6);
  });

  it("reads RoPE of the default type where newer files say so", async () => {
    const rope_parameters = { rope_type: "default", rope_theta: 2e4 };
    const { model } = await read({ ...LLAMA, rope_parameters }, UPCYCLE);
    assert.equal(model.ropeTheta, 2e4);
  });

  const refused: Record<string, [config: object, use: WeightsUse, why: RegExp]> = {
    "another family": [
      { ...LLAMA, model_type: "mamba" },
      UPCYCLE,
      /"mamba": moestro upcycle takes/,
    ],
    "a family of neither": [
      { ...LLAMA, model_type: 3 },
      { kind: "import" },
      /model_type: 3: moestro/,
    ],
    "a list": [[LLAMA], UPCYCLE, /model_type: null/],
    "scaled RoPE": [
      { ...LLAMA, rope_parameters: { rope_type: "yarn", rope_theta: 1e4 } },
      UPCYCLE,
      /rope_parameters: RoPE of type "yarn" is not supported/,
    ],
    "a sliding window": [
      { ...LLAMA, model_type: "mistral", sliding_window: 4096 },
      UPCYCLE,
      /model\.slidingWindow: the model has sliding-window attention/,
    ],
    "another activation": [{ ...LLAMA, hidden_act: "gelu" }, UPCYCLE, /hidden_act: "gelu"/],
  };
  for (const [name, [config, use, why]] of Object.entries(refused)) {
    it(`refuses ${name} in one line that names the file`, async () => {
      await assert.rejects(read(config, use), (error: Error) => {
        assert.ok(error.message.startsWith(join(folder, "config.json")), error.message);
        assert.ok(!error.message.includes("\n"));
        assert.match(error.message, why);
        return true;
      });
    });
  }
});
