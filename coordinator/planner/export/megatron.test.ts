import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { MoestroError } from "../../errors.ts";
import type { PlanDocument } from "../plan-document.ts";
import { makePlan, type PlanWish } from "./fixture.ts";
import { exportMegatron, megatronExpressible } from "./megatron.ts";
import { parseMegatronLayout } from "./megatron-layout.ts";
import { layerFrequency } from "./megatron-model.ts";

const { flags: KNOWN } = JSON.parse(
  readFileSync(new URL("./megatron-flags.fixture.json", import.meta.url), "utf8"),
) as { flags: Record<string, { type: string; choices?: string[] }> };

/** Flags and values as a shell would hand them over. */
function flagsOf(plan: PlanDocument): Map<string, string> {
  const lines = exportMegatron(plan).text.split("\n");
  const found = lines
    .filter((line) => line.startsWith("--"))
    .map((line) => line.replace(/ \\$/, ""));
  return new Map(
    found.map((line) => {
      const [, name = "", value = ""] = /^(\S+) ?(.*)$/.exec(line) ?? [];
      return [name, value.replace(/^"(.*)"$/, "$1")];
    }),
  );
}

const interleaved: PlanWish = {
  layers: [3, 4, 4, 4, 4, 4, 4, 2],
  layout: { pipelineParallel: 4, virtualPipeline: 2, schedule: "interleaved" },
};

const PLANS: Record<string, PlanWish> = {
  plain: { layers: [14, 16, 16, 15], mtpLayers: 1 },
  interleaved,
  "an unusual group of micro-batches": {
    ...interleaved,
    layout: { ...interleaved.layout, numMicroBatches: 7 },
  },
  "one stage under FSDP": { layers: [8], layout: { optimizerSharding: "fsdp" } },
  "capacity and no sharding": {
    layers: [4, 4],
    capacityFactor: 1.25,
    layout: { optimizerSharding: "none", tensorParallel: 1, expertTensorParallel: 1 },
  },
  "recompute by layer": {
    layers: [4, 4],
    recompute: [
      ["full", "full", "selective", "none"],
      ["none", "none", "none", "none"],
    ],
  },
  "selective recompute": {
    layers: [2, 2],
    recompute: [
      ["selective", "selective"],
      ["selective", "none"],
    ],
  },
};

test("every flag is known to Megatron-Core's main branch and its value is of the flag's type", () => {
  for (const [name, wish] of Object.entries(PLANS)) {
    const flags = flagsOf(makePlan(wish));
    assert.ok(flags.size > 25, name);
    for (const [flag, value] of flags) {
      const known = KNOWN[flag];
      assert.ok(known, `${name}: ${flag}`);
      const shown = `${name}: ${flag} "${value}"`;
      if (known.type === "flag") assert.equal(value, "", shown);
      else if (known.type === "int") assert.match(value, /^\d+$/, shown);
      else if (known.type === "float") assert.match(value, /^\d+(\.\d+)?$/, shown);
      else if (known.type === "layers") assert.match(value, /^\((\[[01]\]\*\d+\+?)+\)$/, shown);
      else assert.notEqual(value, "", shown);
      if (known.choices !== undefined) assert.ok(known.choices.includes(value), shown);
    }
  }
});

test("sizes, batch, stages and model come out as Megatron-Core names them", () => {
  const flags = flagsOf(makePlan({ layers: [14, 16, 16, 15], mtpLayers: 1 }));
  const expected = {
    "--tensor-model-parallel-size": "2",
    "--sequence-parallel": "",
    "--pipeline-model-parallel-size": "4",
    "--pipeline-model-parallel-layout": "Et*14|t*16|t*16|t*15mL",
    "--expert-model-parallel-size": "16",
    "--expert-tensor-parallel-size": "1",
    "--micro-batch-size": "1",
    "--global-batch-size": "128",
    "--seq-length": "4096",
    "--num-layers": "61",
    "--multi-latent-attention": "",
    "--qk-head-dim": "128",
    "--moe-layer-freq": "([0]*3+[1]*58)",
    "--moe-ffn-hidden-size": "2048",
    "--ffn-hidden-size": "18432",
    "--mtp-num-layers": "1",
    "--use-distributed-optimizer": "",
    "--bf16": "",
  };
  for (const [flag, value] of Object.entries(expected)) assert.equal(flags.get(flag), value, flag);
  assert.equal(flags.has("--moe-expert-capacity-factor"), false);
  assert.equal(flags.has("--recompute-granularity"), false);
});

test("the layout string has the plan's stages in Megatron's order, interleaved or not", () => {
  for (const wish of Object.values(PLANS)) {
    const text = flagsOf(makePlan(wish)).get("--pipeline-model-parallel-layout") ?? "";
    const layers = parseMegatronLayout(text).map((stage) => stage.replaceAll(/[^t]/g, "").length);
    assert.deepEqual(layers, wish.layers);
  }
});

test("micro-batches that do not divide into groups of PP get a group that Megatron-Core takes", () => {
  const odd = PLANS["an unusual group of micro-batches"] as PlanWish;
  const flag = "--microbatch-group-size-per-virtual-pipeline-stage";
  assert.equal(flagsOf(makePlan(odd)).get(flag), "7");
  assert.equal(flagsOf(makePlan(interleaved)).has(flag), false);
});

test("recompute by layer is rounded up to one number for all chunks, and said so", () => {
  const plan = makePlan(PLANS["recompute by layer"] as PlanWish);
  const flags = flagsOf(plan);
  assert.equal(flags.get("--recompute-granularity"), "full");
  assert.equal(flags.get("--recompute-method"), "block");
  assert.equal(flags.get("--recompute-num-layers"), "3");
  const { text, notes } = exportMegatron(plan);
  assert.match(notes.join(), /first 3 of each are recomputed in full/);
  assert.ok(text.includes(`# ${notes[0]}`));
});

test("recompute that Megatron-Core can say comes without a remark", () => {
  const uniform = makePlan({
    layers: [2, 2],
    recompute: [
      ["full", "none"],
      ["full", "none"],
    ],
  });
  assert.deepEqual(exportMegatron(uniform).notes, []);
  assert.equal(flagsOf(uniform).get("--recompute-num-layers"), "1");
});

const REFUSED: [PlanWish, RegExp][] = [
  [{ layers: [2, 2], layout: { schedule: "zero-bubble" } }, /no zero-bubble schedule/],
  [{ layers: [2, 2], layout: { schedule: "gpipe" } }, /no gpipe schedule/],
  [
    {
      layers: [2, 2, 2, 2],
      layout: { pipelineParallel: 2, virtualPipeline: 2, schedule: "dualpipev" },
    },
    /no dualpipev schedule/,
  ],
  [{ layers: [2, 0, 2] }, /stage 1 is empty/],
  [
    { ...interleaved, layout: { ...interleaved.layout, numMicroBatches: 3 } },
    /at least 4 micro-batches/,
  ],
];

test("what Megatron-Core cannot run is refused in one line with a remedy", () => {
  for (const [wish, why] of REFUSED) {
    const plan = makePlan(wish);
    assert.match(megatronExpressible(plan.best) ?? "", why);
    assert.throws(
      () => exportMegatron(plan),
      (error) =>
        error instanceof MoestroError &&
        error.exitCode === 2 &&
        error.lines.length === 1 &&
        why.test(error.message) &&
        error.message.includes("--expressible megatron"),
    );
  }
  assert.equal(megatronExpressible(makePlan(interleaved).best), undefined);
});

test("a name with a line break stays inside its comment", () => {
  const plan = { ...makePlan({ layers: [4] }), job: "a\nrm -rf b" };
  assert.match(exportMegatron(plan).text, /^# a rm -rf b: /);
});

test("layers with experts are told from dense ones in Megatron's expression", () => {
  assert.equal(layerFrequency([1, 1]), undefined);
  assert.equal(layerFrequency([0, 0, 1, 0]), "([0]*2+[1]*1+[0]*1)");
});
