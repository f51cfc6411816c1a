import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseMegatronLayout } from "../../coordinator/planner/export/megatron-layout.ts";
import type { PartitionSolution } from "../../coordinator/planner/partition/problem.ts";
import type { PlanChoice, PlanDocument } from "../../coordinator/planner/plan-document.ts";
import { type Ended, Workplace } from "./moestro.ts";

const SKYWORK = fileURLToPath(
  new URL("../../examples/plans/skywork-moe-146b.yaml", import.meta.url),
);
const RUNS = fileURLToPath(new URL("../../data/validation/calibration.csv", import.meta.url));
const FORMATS = ["megatron", "torchtitan", "torchtitan-0.2", "json", "perfetto", "html"];
/** Runs of moestro and a test's other cases share two cores. */
const AT_ONCE = { concurrency: 2 };

const place = new Workplace();

/** A small model on one node of H100s. Overrides are whole sections. */
function planJob(overrides: Record<string, unknown> = {}): string {
  const job = {
    model: { config: "qwen.json" },
    cluster: { gpu: "h100", nodes: 1 },
    training: { sequenceLength: 4096, globalBatchSize: 64 },
    ...overrides,
  };
  // JSON is YAML.
  return JSON.stringify(job);
}

const DECODER = {
  hidden_act: "silu",
  hidden_size: 512,
  intermediate_size: 1024,
  moe_intermediate_size: 256,
  num_attention_heads: 8,
  num_experts_per_tok: 4,
  vocab_size: 8192,
  tie_word_embeddings: false,
};

const QWEN = {
  ...DECODER,
  model_type: "qwen3_moe",
  decoder_sparse_step: 1,
  head_dim: 64,
  mlp_only_layers: [],
  num_experts: 16,
  num_hidden_layers: 12,
  num_key_value_heads: 4,
};

const DEEPSEEK = {
  ...DECODER,
  model_type: "deepseek_v3",
  attention_bias: false,
  first_k_dense_replace: 3,
  ...{ kv_lora_rank: 128, q_lora_rank: 256 },
  ...{ qk_nope_head_dim: 64, qk_rope_head_dim: 32, v_head_dim: 64 },
  moe_layer_freq: 1,
  n_routed_experts: 16,
  n_shared_experts: 1,
  num_hidden_layers: 10,
  num_nextn_predict_layers: 1,
  topk_method: "noaux_tc",
};

before(() => {
  place.write("qwen.json", JSON.stringify(QWEN));
  place.write("deepseek.json", JSON.stringify(DEEPSEEK));
  place.write("qwen.yaml", planJob());
  place.write("deepseek.yaml", planJob({ model: { config: "deepseek.json" } }));
});
after(() => place.remove());

async function succeed(args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await place.run(args);
  assert.equal(exitCode, 0, stderr);
  return stdout;
}

async function succeedJson<Result>(args: readonly string[]): Promise<Result> {
  return JSON.parse(await succeed([...args, "--json"])) as Result;
}

/** What every plan must be, whatever was planned. */
function checkChoice({ layout, stages, predicted, certificate }: PlanChoice, layers: number): void {
  const held = stages.flatMap(({ layers: held }) =>
    held === null ? [] : Array.from({ length: held[1] - held[0] + 1 }, (_, i) => held[0] + i),
  );
  assert.deepEqual(
    held,
    Array.from({ length: layers }, (_, layer) => layer),
  );
  assert.equal(stages.length, layout.pipelineParallel * layout.virtualPipeline);
  assert.equal(predicted.memoryBytesPerStage.length, layout.pipelineParallel);
  for (const bytes of predicted.memoryBytesPerStage) {
    assert.ok(bytes > 0 && bytes <= predicted.memoryLimitBytes, `${bytes}`);
  }
  assert.ok(predicted.stepTimeMs > 0 && predicted.tokensPerSecondPerGpu > 0);
  assert.ok(predicted.mfu > 0 && predicted.mfu < 1);
  assert.match(predicted.mfuConvention, /active parameters/);
  const { simulatedMs, boundMs, gap } = certificate;
  assert.ok(boundMs <= simulatedMs * (1 + 1e-9) && simulatedMs <= predicted.stepTimeMs);
  assert.ok(Math.abs(gap - (simulatedMs - boundMs) / simulatedMs) < 1e-9);
}

test("Skywork-MoE's plan is whole, fits, and beats the layout that was published", async () => {
  const published = "tp=4,pp=12,dp=32,ep=4,etp=1";
  const { best, baselines, search, cluster } = await succeedJson<PlanDocument>(["plan", SKYWORK]);
  const compared = await succeedJson<PlanChoice[]>(["plan", SKYWORK, "--compare", published]);
  checkChoice(best, 52);
  const { tensorParallel, contextParallel, pipelineParallel, dataParallel } = best.layout;
  assert.equal(tensorParallel * contextParallel * pipelineParallel * dataParallel, 1536);
  assert.equal(cluster.gpus, 1536);
  assert.ok(baselines.uniform !== null);
  checkChoice(baselines.uniform, 52);
  assert.ok(best.predicted.stepTimeMs <= baselines.uniform.predicted.stepTimeMs);
  assert.ok(search.candidates > 1000 && search.ms > 0);
  const [other] = compared;
  assert.ok(other !== undefined && compared.length === 1);
  checkChoice(other, 52);
  assert.equal(other.layout.scheme, "edp");
  assert.ok(best.predicted.stepTimeMs <= other.predicted.stepTimeMs);
});

test("a plan restricted to Megatron-Core exports to a layout that Megatron-Core reads", async () => {
  const plan = await succeedJson<PlanDocument>([
    "plan",
    "deepseek.yaml",
    "--expressible",
    "megatron",
  ]);
  checkChoice(plan.best, 10);
  place.write("megatron.json", JSON.stringify(plan));
  const flags = await succeed(["export", "megatron.json", "--to", "megatron"]);
  assert.match(flags, /--expert-tensor-parallel-size 1 /);
  const written = /--pipeline-model-parallel-layout "([^"]+)"/.exec(flags)?.[1] ?? "";
  const stages = parseMegatronLayout(written);
  assert.equal(stages.length, plan.best.stages.length);
  assert.match(stages.join(""), /^Et{10}mL$/);
});

test("what-if and compare set several plans side by side", async () => {
  type Row = { gpus: number; best: PlanChoice | null; reason: string | null };
  const rows = await succeedJson<Row[]>(["plan", "qwen.yaml", "--what-if", "gpus=8,16,1000"]);
  assert.deepEqual(
    rows.map(({ gpus }) => gpus),
    [8, 16, 1000],
  );
  const [first, second, last] = rows;
  assert.ok(first?.best && second?.best);
  assert.ok(second.best.predicted.stepTimeMs <= first.best.predicted.stepTimeMs);
  assert.equal(last?.best, null);
  assert.match(last?.reason ?? "", /^no legal layout/);
  const layouts = ["tp=2,pp=2", "tp=1,ep=4"];
  const choices = await succeedJson<PlanChoice[]>(["plan", "qwen.yaml", "--compare", ...layouts]);
  assert.deepEqual(
    choices.map(({ layout }) => [layout.tensorParallel, layout.expertParallel]).at(1),
    [1, 4],
  );
});

for (const [name, layers, experts] of [
  ["qwen", 12, 16],
  ["deepseek", 10, 16],
] as const) {
  test(`a ${name} config.json is planned`, async () => {
    const { best, model } = await succeedJson<PlanDocument>(["plan", `${name}.yaml`]);
    assert.deepEqual([model.layers, model.experts], [layers, experts]);
    checkChoice(best, layers);
    assert.equal(best.stages.at(-1)?.mtpLayers, name === "deepseek" ? 1 : 0);
  });
}

test("a dense model is planned and told without experts", async () => {
  place.write("dense.yaml", planJob({ model: { preset: "llama3-8b" } }));
  const { baselines, best } = await succeedJson<PlanDocument>(["plan", "dense.yaml"]);
  assert.deepEqual([baselines.edp, baselines.ep, baselines.etp], [null, null, null]);
  checkChoice(best, 32);
  assert.doesNotMatch(await succeed(["plan", "dense.yaml"]), /scheme|xperts|\betp?\b|routing/);
  const exported = await succeed(["export", "dense.yaml", "--to", "torchtitan"]);
  assert.doesNotMatch(exported, /capacity/);
});

test("every format exports alike from a job and from its plan for it", AT_ONCE, async (t) => {
  for (const target of ["any", "megatron", "torchtitan"]) {
    const plan = await succeed(["plan", "qwen.yaml", "--json", "--expressible", target]);
    place.write(`qwen-${target}.json`, plan);
  }
  const cases = FORMATS.map((format) =>
    t.test(format, async () => {
      const fromJob = await succeed(["export", "qwen.yaml", "--to", format]);
      const out = `out-${format}`;
      const target = format.startsWith("torchtitan") ? "torchtitan" : format;
      const plan = existsSync(place.path(`qwen-${target}.json`)) ? target : "any";
      await succeed(["export", `qwen-${plan}.json`, "--to", format, "--out", out]);
      const fromPlan = readFileSync(place.path(out), "utf8");
      assert.ok(fromPlan.length > 100);
      // The search's own time differs from run to run.
      const settled = (text: string) => text.replaceAll(/\d+(\.\d+)?(?= ms\b|\n {2}\})/g, "");
      assert.equal(settled(fromPlan), settled(fromJob));
      if (format === "json" || format === "perfetto") JSON.parse(fromPlan);
    }),
  );
  await Promise.all(cases);
});

/** Four layers of 1 + 2 ms, where keeping costs 10 bytes and recompute 1 ms more. */
function partitionProblem(overrides: Record<string, unknown> = {}): string {
  const options = [
    { name: "none", extraBackwardMs: 0, activationBytes: 10 },
    { name: "full", extraBackwardMs: 1, activationBytes: 1 },
  ];
  const layer = { forwardMs: 1, backwardMs: 2, staticBytes: 5, options };
  const layers = ["a", "b", "c", "d"].map((name) => ({ ...layer, name }));
  const problem = { stages: 2, microBatches: 2, p2pMs: 0, memoryBytes: 50, layers };
  return JSON.stringify({ ...problem, ...overrides });
}

test("a problem worked by hand is cut and recomputed as worked", async () => {
  // Two layers a stage take 2 + 4 ms, three times in a row: 18. All is kept: 10 + 2 * 20 = 50.
  place.write("roomy.json", partitionProblem());
  const roomy = await succeedJson<PartitionSolution>(["partition", "roomy.json"]);
  assert.deepEqual(
    roomy.stages.map(({ layers, recompute, memoryBytes }) => [layers, recompute, memoryBytes]),
    [
      [[0, 1], ["none", "none"], 50],
      [[2, 3], ["none", "none"], 30],
    ],
  );
  assert.deepEqual([roomy.simulatedMs, roomy.boundMs, roomy.gap], [18, 18, 0]);
  // With 32 bytes stage 0 keeps 10 + 1 of each micro-batch: 10 + 2 * 11 = 32. Its backward takes
  // 1 ms more; the first ends while stage 1 is still at work, so only the last one shows: 19.
  place.write("tight.json", partitionProblem({ memoryBytes: 32 }));
  const tight = await succeedJson<PartitionSolution>(["partition", "tight.json"]);
  const [first, last] = tight.stages;
  assert.deepEqual([...(first?.recompute ?? [])].sort(), ["full", "none"]);
  assert.deepEqual([first?.memoryBytes, first?.recomputeMs], [32, 1]);
  assert.deepEqual([last?.recompute, last?.memoryBytes], [["none", "none"], 30]);
  assert.deepEqual([tight.simulatedMs, tight.gap], [19, 0]);
});

test("predictions stand beside what was measured", async () => {
  const lines = readFileSync(RUNS, "utf8").split("\n").slice(0, 4);
  const unknown = "mine,Nobody-7B,H100,64,bf16,4096,512,1,2,2,1,,,,,,,900,,";
  place.write("runs.csv", `${[...lines, unknown].join("\n")}\n`);
  type Row = { predicted: number | null; measured: number | null; error: number | null };
  const { rows } = await succeedJson<{ rows: (Row & { name: string; reason: string })[] }>([
    ...["predict", "runs.csv", "--out", "both.csv"],
  ]);
  assert.equal(rows.length, 4);
  for (const { predicted, measured, error } of rows.slice(0, 3)) {
    assert.ok(predicted !== null && measured !== null && error !== null);
    assert.ok(Math.abs(error - (predicted - measured) / measured) < 1e-12);
    assert.ok(Math.abs(error) < 0.5);
  }
  assert.deepEqual([rows[3]?.predicted, rows[3]?.error], [null, null]);
  assert.match(rows[3]?.reason ?? "", /Nobody-7B/);
  assert.equal(rows[3]?.name, "Nobody-7B");
  const written = readFileSync(place.path("both.csv"), "utf8").trim().split("\n");
  assert.equal(written.length, 5);
  assert.ok(written[0]?.startsWith("src,model,gpu"));
  await succeed(["predict", "runs.csv"]);
  assert.ok(existsSync(place.path("runs.predicted.csv")));
});

type Bad = {
  what: string;
  files?: Record<string, string>;
  args: string[];
  code: number;
  told: RegExp;
};

const skywork = (overrides: Record<string, unknown>) => ({
  "bad.yaml": planJob({
    model: { preset: "skywork-moe-146b" },
    cluster: { gpu: "a800", nodes: 192 },
    training: { sequenceLength: 8192, globalBatchSize: 4096 },
    ...overrides,
  }),
});
const config = (text: string) => ({
  "bad-config.json": text,
  "bad.yaml": planJob({ model: { config: "bad-config.json" } }),
});
const PLAN = ["plan", "bad.yaml"];
const PARTITION = ["partition", "bad.json"];

const BAD: Bad[] = [
  {
    what: "a size in config.json that nobody knows",
    files: config(JSON.stringify({ ...QWEN, num_memory_layers: 4 })),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: model\.config: bad-config\.json: num_memory_layers: 4 .*\n$/,
  },
  {
    what: "a config.json that is not JSON",
    files: config("model_type: qwen3_moe\n"),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: model\.config: bad-config\.json: is not valid JSON.*\n$/,
  },
  {
    what: "an empty config.json",
    files: config(""),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: model\.config: bad-config\.json: .+\n$/,
  },
  {
    what: "an empty job",
    files: { "bad.yaml": "" },
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:1: the file is empty.*\n$/,
  },
  {
    what: "tensor parallelism that does not divide the heads",
    files: skywork({ layout: { tensorParallel: 5 } }),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: layout\.tensorParallel: 5 does not divide 36 attention heads.*\n$/,
  },
  {
    what: "sizes whose product is not the number of GPUs",
    files: skywork({ layout: { tensorParallel: 4, pipelineParallel: 12, dataParallel: 64 } }),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: layout: tensorParallel 4 × pipelineParallel 12 × dataParallel 64 = 3072 does not divide the 1536 ranks.*\n$/,
  },
  {
    what: "expert parallelism that does not divide the experts",
    files: skywork({ layout: { expertParallel: 3 } }),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: layout\.expertParallel: 3 does not divide 16 experts.*\n$/,
  },
  {
    what: "scheme edp with expert parallelism other than tensor parallelism",
    files: skywork({ layout: { scheme: "edp", tensorParallel: 4, expertParallel: 8 } }),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: layout\.expertParallel: 8 is not tensorParallel 4.*edp.*\n$/,
  },
  {
    what: "a layout to compare that cannot be",
    files: skywork({}),
    args: [...PLAN, "--compare", "tp=5"],
    code: 2,
    told: /^--compare tp=5: layout\.tensorParallel: 5 does not divide 36 attention heads.*\n$/,
  },
  {
    what: "a layout to compare with a size that is none",
    files: skywork({}),
    args: [...PLAN, "--compare", "toString=2"],
    code: 2,
    told: /^--compare toString=2: "toString=2" is no size; use tp, .*\n$/,
  },
  {
    what: "no GPUs at all",
    files: skywork({ cluster: { gpu: "a800", nodes: 0 } }),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: cluster\.nodes: 0 is out of range.*\n$/,
  },
  {
    what: "a million GPUs that no layout uses",
    files: skywork({ cluster: { gpu: "a800", nodes: 125_000 } }),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: cluster\.\w+: 1000000 is .* ranks\n$/,
  },
  {
    what: "a model that does not fit",
    files: skywork({ cluster: { gpu: "a800", nodes: 1 } }),
    args: PLAN,
    code: 3,
    told: /^bad\.yaml: cluster: nothing fits 8 x A800.*the closest \(tp .*\) misses [\d.]+ GB .*; use more GPUs, .*\n$/,
  },
  {
    what: "times that are not numbers",
    files: { "bad.json": partitionProblem().replace('"p2pMs":0', '"p2pMs":NaN') },
    args: PARTITION,
    code: 2,
    told: /^bad\.json: not JSON \(.*\); write .*\n$/,
  },
  {
    what: "times below zero",
    files: { "bad.json": partitionProblem().replace('"backwardMs":2', '"backwardMs":-2') },
    args: PARTITION,
    code: 2,
    told: /^bad\.json: layers\[0\]\.backwardMs: -2 is not an amount of milliseconds.*\n$/,
  },
  {
    what: "layers that fit no stages",
    files: { "bad.json": partitionProblem({ memoryBytes: 11 }) },
    args: PARTITION,
    code: 3,
    told: /^bad\.json: nothing fits: .*stage 0 .*bytes are missing; use .*\n$/,
  },
  {
    what: "an empty problem",
    files: { "bad.json": "" },
    args: PARTITION,
    code: 2,
    told: /^bad\.json: not JSON .*\n$/,
  },
  {
    what: "runs without their columns",
    files: { "bad.csv": "model,gpu\nSkywork-13B,A800-80G\n" },
    args: ["predict", "bad.csv"],
    code: 2,
    told: /^bad\.csv:1: columns gpus, .* are missing; .*\n$/,
  },
  {
    what: "runs of a header alone",
    files: { "bad.csv": readFileSync(RUNS, "utf8").split("\n").slice(0, 1).join("") },
    args: ["predict", "bad.csv"],
    code: 2,
    told: /^bad\.csv: has no rows; .*\n$/,
  },
  {
    what: "a config.json with another family's layers",
    files: config(JSON.stringify({ ...QWEN, num_nextn_predict_layers: 2 })),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: model\.config: bad-config\.json: num_nextn_predict_layers: 2 .*qwen3_moe; .*\n$/,
  },
  {
    what: "a config.json with layers that are no attention",
    files: config(JSON.stringify({ ...QWEN, layer_types: ["linear_attention"] })),
    args: PLAN,
    code: 2,
    told: /^bad\.yaml:1:\d+: model\.config: bad-config\.json: layer_types\[0\]: "linear_attention" .*\n$/,
  },
  {
    what: "predictions that cannot be written",
    args: ["predict", RUNS, "--out", "nowhere/predicted.csv"],
    code: 2,
    told: /^nowhere\/predicted\.csv: cannot be written \(ENOENT\); .*\n$/,
  },
  {
    what: "an export that cannot be written",
    args: ["export", "qwen.yaml", "--to", "json", "--out", "nowhere/plan.json"],
    code: 2,
    told: /^nowhere\/plan\.json: does not exist; give --out .*\n$/,
  },
  {
    what: "an export of what is no plan",
    files: { "bad.json": "[]" },
    args: ["export", "bad.json", "--to", "html"],
    code: 2,
    told: /^bad\.json: .*; give a job file \(\.yaml\) or what `moestro plan --json` wrote\n$/,
  },
];

test("a million GPUs with a batch that can use them are planned", async () => {
  const training = { sequenceLength: 4096, globalBatchSize: 1_000_000 };
  place.write("many.yaml", planJob({ cluster: { gpu: "h100", nodes: 125_000 }, training }));
  // Half a gigabyte is enough.
  const env = { NODE_OPTIONS: "--max-old-space-size=400" };
  const { exitCode, stdout, stderr } = await place.run(["plan", "many.yaml", "--json"], env);
  assert.equal(exitCode, 0, stderr);
  checkChoice((JSON.parse(stdout) as PlanDocument).best, 12);
});

test("mistakes are told in one clear line", AT_ONCE, async (t) => {
  const cases = BAD.map(({ what, files = {}, args, code, told }) =>
    t.test(`${what}: exit code ${code}`, async () => {
      const ended = await runApart(files, args);
      assert.match(ended.stderr, told);
      assert.equal(ended.exitCode, code);
      assert.equal(ended.stdout, "");
      assert.doesNotMatch(ended.stderr, /^\s+at /m);
    }),
  );
  await Promise.all(cases);
});

/** Runs in a folder of its own, as cases run side by side. */
async function runApart(files: Record<string, string>, args: readonly string[]): Promise<Ended> {
  const apart = new Workplace();
  const all = { "qwen.json": JSON.stringify(QWEN), "qwen.yaml": planJob(), ...files };
  for (const [name, text] of Object.entries(all)) apart.write(name, text);
  try {
    return await apart.run(args);
  } finally {
    await apart.remove();
  }
}
