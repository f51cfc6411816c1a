import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findModelName, findModelShape } from "./find-model-shape.ts";
import { MODEL_NAMES, MODEL_SHAPES } from "./shapes.ts";

const SPELLINGS: Record<string, string> = {
  "Mixtral-8x22B": "mixtral-8x22b",
  "Mixtral 8x22B": "mixtral-8x22b",
  "Mixtral 8x22B 141B": "mixtral-8x22b",
  "Mixtral-8x22B-G8T8": "mixtral-8x22b-g8t8",
  "Mixtral 8x7B": "mixtral-8x7b",
  "Qwen2-57B-A14B": "qwen2-57b-a14b",
  "Qwen3-235B": "qwen3-235b-a22b",
  "Qwen3 235B-A22B": "qwen3-235b-a22b",
  "Qwen3-30B-A3B": "qwen3-30b-a3b",
  "DeepSeek-V3": "deepseek-v3",
  deepseekv3: "deepseek-v3",
  "DeepSeek V3 671B": "deepseek-v3",
  "deepseekv3 (proxy, 4 layers)": "deepseek-v3",
  "deepseekv2 (proxy, 4 layers)": "deepseek-v2",
  "deepseek-ai/DeepSeek-V2-Lite": "deepseek-v2-lite",
  "Grok-1 314B": "grok-1",
  "Skywork-MoE 146B/22B": "skywork-moe-146b",
  "Skywork-MoE": "skywork-moe-146b",
  "Skywork-13B": "skywork-13b",
  "Llama3 70B": "llama3-70b",
  llama3_70b: "llama3-70b",
  "llama3_405b (proxy, 4 layers)": "llama3-405b",
  "LLaMA-3.1 405B": "llama3-405b",
  "meta-llama/Llama-3.1-8B": "llama3-8b",
  "Llama-2-7b": "llama2-7b",
  "Llama-2-70b-hf": "llama2-70b",
  "GPT-OSS-120B": "gpt-oss-120b",
  "DBRX 132B": "dbrx",
  DBRX: "dbrx",
};

describe("findModelShape", () => {
  for (const [written, name] of Object.entries(SPELLINGS)) {
    it(`takes ${written} for ${name}`, () => assert.equal(findModelName(written), name));
  }

  it("takes every preset's own name", () => {
    for (const name of MODEL_NAMES) assert.equal(findModelShape(name), MODEL_SHAPES[name]);
  });

  for (const unknown of [
    "",
    "Mixtral-8x2B reduced layers",
    "DBRX 7B",
    "DeepSeek-V4 671B",
    "Llama-3.2 1B",
    "GPT-3 175B",
    "Qwen3-4B",
    "constructor",
  ]) {
    it(`knows nothing of ${JSON.stringify(unknown)}`, () =>
      assert.equal(findModelShape(unknown), undefined));
  }
});
