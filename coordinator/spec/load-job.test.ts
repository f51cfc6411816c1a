import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { MoestroError } from "../errors.ts";
import { fixtureJob, fixtureText, refusal } from "./job-fixture.ts";
import { loadJob, parseJob } from "./load-job.ts";

describe("loadJob", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "moestro-spec-"));
  });
  after(() => rm(folder, { recursive: true }));

  const linesOf = (path: string) =>
    loadJob(path).then(
      () => [],
      (error: MoestroError) => error.lines,
    );

  it("resolves data.path from the job file's folder", async () => {
    const path = join(folder, "job.yaml");
    await writeFile(path, fixtureText({ data: { source: undefined, path: "./texts" } }));
    assert.equal((await loadJob(path)).job.data.path, join(folder, "texts"));
  });

  it("takes model and experts from a config.json beside the job, under inline values", async () => {
    const config = {
      model_type: "mixtral",
      hidden_size: 64,
      num_hidden_layers: 4,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      intermediate_size: 96,
      vocab_size: 320,
      num_local_experts: 4,
    };
    await writeFile(join(folder, "config.json"), JSON.stringify(config));
    const text = `name: a
model: {config: config.json, layers: 3}
data: {source: python-standard-library}
training: {steps: 1, sequenceLength: 8, globalBatchSize: 2, learningRate: 1}
moe: {topK: 1}
`;
    const { job } = await parseJob(text, join(folder, "job.yaml"));
    assert.equal(job.model.layers, 3);
    assert.equal(job.model.headDim, 16);
    assert.deepEqual([job.moe.experts, job.moe.topK, job.moe.balancing], [4, 1, "fixed"]);
  });

  it("points at model.config when the config file cannot be used", async () => {
    await writeFile(join(folder, "dense.json"), '{"model_type": "gpt2"}');
    await writeFile(join(folder, "broken.json"), "{");
    const at = (config: string) =>
      parseJob(`model: {config: ${config}}\n`, join(folder, "job.yaml"), "job.yaml").catch(
        (error: MoestroError) => error.lines.find((line) => line.includes("model.config")),
      );
    assert.match(
      String(await at("dense.json")),
      /^job\.yaml:1:17: model\.config: dense\.json: model_type: "gpt2" is not supported; use mixtral, skywork, .*, or write the sizes inline$/,
    );
    assert.match(String(await at("broken.json")), /broken\.json: is not valid JSON/);
    assert.match(String(await at("absent.json")), /absent\.json: there is no such file/);
  });

  it("says which file is missing, a folder, endless, or not text", async () => {
    await writeFile(join(folder, "bytes.yaml"), new Uint8Array([0xff, 0xfe, 0x00]));
    const absent = join(folder, "absent.yaml");
    assert.deepEqual(await linesOf(absent), [`${absent}: there is no such file; check the path`]);
    assert.deepEqual(await linesOf(folder), [`${folder}: is a folder; give the path of a file`]);
    assert.deepEqual(await linesOf("/dev/zero"), [
      "/dev/zero: is longer than 1000000 bytes; this is hardly the right file",
    ]);
    assert.match(String(await linesOf(join(folder, "bytes.yaml"))), /is not UTF-8 text/);
  });

  it("refuses with a code that ends a command with 2", async () => {
    const error = await parseJob("", "/job.yaml").catch((error: unknown) => error);
    assert.ok(error instanceof MoestroError);
    assert.equal(error.exitCode, 2);
  });
});

describe("a valid job", () => {
  it("gets defaults that follow from its own values", async () => {
    const { job } = await fixtureJob({
      model: { kvHeads: undefined },
      training: { learningRate: 4e-3 },
    });
    assert.equal(job.model.kvHeads, 6);
    assert.equal(job.model.headDim, 32);
    assert.equal(job.training.minLearningRate, 4e-4);
    assert.equal(job.controller.effectiveAfterSteps, 2);
  });

  it("takes a preset's model and experts, and lets inline values replace them", async () => {
    const text = `name: sky
model: {preset: skywork-moe-146b, layers: 12, hiddenSize: 2304}
data: {source: python-standard-library}
training: {steps: 1, sequenceLength: 8192, globalBatchSize: 64, learningRate: 1}
moe: {gateNormalization: false}
`;
    const { job } = await parseJob(text, "/job.yaml");
    assert.deepEqual([job.model.layers, job.model.headDim, job.model.vocabSize], [12, 64, 65_536]);
    assert.deepEqual([job.moe.experts, job.moe.gateNormalization], [16, false]);
  });
});

describe("a bad job is refused with one line an error", () => {
  const cases: Record<string, [string, string[]]> = {
    "an empty file": [
      "# nothing\n",
      ["job.yaml:1:1: the file is empty; a job has name, model, data, training and moe"],
    ],
    "text instead of a mapping": [
      "hello",
      ['job.yaml:1:1: "hello" is text; use a mapping of keys to values'],
    ],
    "a syntax error, without those in its wake": [
      "name: [a\nmodel: {\n",
      [
        "job.yaml:2:1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]; correct the line",
      ],
    ],
    "a repeated key": [
      `${fixtureText()}name: twice\n`,
      ["job.yaml:27:1: the key is given twice; keep one of them"],
    ],
    "an unknown key, with the nearest": [
      fixtureText({ moe: { topk: 2 } }),
      ["job.yaml:21:3: moe.topk: unknown key; did you mean topK?"],
    ],
    "a key of another section": [
      fixtureText({ topK: 2 }),
      ["job.yaml:27:1: topK: unknown key here; did you mean moe.topK?"],
    ],
    "a quoted number": [
      fixtureText({ training: { steps: "400" } }),
      [
        'job.yaml:12:10: training.steps: "400" is text, but must be a whole number from 1 to 1000000000; remove the quotes',
      ],
    ],
    "a fraction, a value without bounds and none at all": [
      fixtureText({
        training: { steps: 1.5, learningRate: Number.POSITIVE_INFINITY, globalBatchSize: null },
      }),
      [
        "job.yaml:12:10: training.steps: 1.5 is a number with a fraction; use a whole number from 1 to 1000000000",
        "job.yaml:14:20: training.globalBatchSize: has no value; use a whole number from 1 to 1048576, or remove the key",
        "job.yaml:16:17: training.learningRate: .inf is not a finite number; use a number above 0",
      ],
    ],
    "a negative and a not-a-number": [
      fixtureText({ training: { steps: -4, learningRate: Number.NaN } }),
      [
        "job.yaml:12:10: training.steps: -4 is out of range; use a whole number from 1 to 1000000000",
        "job.yaml:16:17: training.learningRate: .nan is not a finite number; use a number above 0",
      ],
    ],
    "a misspelt choice": [
      fixtureText({ moe: { balancing: "adaptve" } }),
      [
        'job.yaml:21:14: moe.balancing: "adaptve" is text, but must be adaptive, fixed, bias or none; did you mean adaptive?',
      ],
    ],
    "neither a number nor dropless": [
      fixtureText({ moe: { capacityFactor: true } }),
      [
        "job.yaml:20:19: moe.capacityFactor: true is true or false; use a number above 0 or dropless",
      ],
    ],
    "more experts chosen than there are": [
      fixtureText({ moe: { topK: 9 } }),
      ["job.yaml:19:9: moe.topK: 9 is more than moe.experts 8; use at most 8"],
    ],
    "a warm-up longer than the run": [
      fixtureText({ training: { warmupSteps: 401 } }),
      [
        "job.yaml:17:16: training.warmupSteps: 401 is more than training.steps 400; use at most 400",
      ],
    ],
    "a learning rate that ends higher than it peaks": [
      fixtureText({ training: { minLearningRate: 1 } }),
      [
        "job.yaml:17:20: training.minLearningRate: 1 is above learningRate 0.003; use at most 0.003",
      ],
    ],
    "a micro-batch that does not divide the batch": [
      fixtureText({ training: { microBatchSize: 5 } }),
      [
        "job.yaml:15:19: training.microBatchSize: 5 does not divide globalBatchSize 16; use 2, 4, 8 or 16",
      ],
    ],
    "heads that do not divide the width": [
      fixtureText({ model: { heads: 7 } }),
      [
        "job.yaml:5:10: model.heads: 7 does not divide hiddenSize 192; use 4, 6, 8 or 12, or give headDim",
        "job.yaml:6:12: model.kvHeads: 2 does not divide 7 attention heads; use 1 or 7",
      ],
    ],
    "a head that RoPE cannot turn": [
      fixtureText({ model: { headDim: 33 } }),
      [
        "job.yaml:9:12: model.headDim: 33 is odd, but RoPE turns pairs of numbers; make headDim (hiddenSize / heads unless given) even",
      ],
    ],
    "two sources of data": [
      fixtureText({ data: { path: "x" } }),
      [
        "job.yaml:9:1: data: must have one of source: python-standard-library, path: a file or folder of text or a .bin of tokens, or sources: a list of paths and weights",
      ],
    ],
    "tensor parallelism that does not divide the heads": [
      fixtureText({ layout: { tensorParallel: 4 } }),
      ["job.yaml:23:19: layout.tensorParallel: 4 does not divide 6 attention heads; use 1 or 2"],
    ],
    "tensor parallelism that does not divide the experts": [
      fixtureText({ moe: { experts: 7 } }),
      [
        "job.yaml:23:19: layout.tensorParallel: 2 does not divide 7 experts, and scheme edp spreads them over the tensor-parallel ranks; use 1",
      ],
    ],
    "more stages than layers": [
      fixtureText({ layout: { pipelineParallel: 8 }, cluster: { ranks: 8 } }),
      [
        "job.yaml:22:21: layout.pipelineParallel: 8 is more than 6 layers, and every stage needs a layer; use 1, 2 or 4",
      ],
    ],
    "stages that do not add up": [
      fixtureText({ layout: { stages: [4, 3] } }),
      [
        "job.yaml:25:3: layout.stages: [4,3] holds 7 layers, but the model has 6; make the entries add up to 6",
      ],
    ],
    "sizes that do not make the ranks together": [
      fixtureText({ cluster: { ranks: 6 } }),
      [
        "job.yaml:21:1: layout: tensorParallel 2 × pipelineParallel 2 = 4 does not divide the 6 ranks of the cluster; change one of them, or use a multiple of 4 ranks",
      ],
    ],
    "a schedule of chunks that leaves stages whole": [
      fixtureText({ layout: { schedule: "interleaved", virtualPipeline: 1 } }),
      [
        "job.yaml:26:20: layout.virtualPipeline: 1 leaves stages whole, but schedule interleaved needs at least 2 chunks a stage; use 2 or more, or schedule 1f1b",
      ],
    ],
    "chunks under a schedule that has none": [
      fixtureText({ layout: { schedule: "zero-bubble", virtualPipeline: 2 } }),
      [
        "job.yaml:26:20: layout.virtualPipeline: 2 is for schedule interleaved, but zero-bubble has one chunk a stage; use 1, or allow interleaved",
      ],
    ],
    "more chunks than layers": [
      fixtureText({ layout: { virtualPipeline: 4 } }),
      [
        "job.yaml:25:20: layout.virtualPipeline: pipelineParallel 2 × 4 chunks = 8 is more than 6 layers, and every chunk needs one; use at most 3 chunks or a shorter pipeline",
      ],
    ],
    "too few micro-batches for DualPipeV": [
      fixtureText({ layout: { schedule: "dualpipev" }, training: { microBatchSize: 8 } }),
      [
        "job.yaml:25:13: layout.schedule: dualpipev needs 4 micro-batches for pipelineParallel 2, but a batch of 16 / dataParallel 1 / microBatchSize 8 makes 2; use 1f1b, a larger batch or smaller ones of these",
      ],
    ],
    "too few micro-batches for 1F1B": [
      fixtureText({ training: { microBatchSize: 16 } }),
      [
        "job.yaml:21:1: layout.schedule: 1f1b over pipelineParallel 2: torch's 1F1B needs at least 2 micro-batches, not 1; use another batch, micro-batch or data parallelism, or fewer stages",
      ],
    ],
    "micro-batches that do not go round under zero-bubble": [
      fixtureText({
        layout: { schedule: "zero-bubble" },
        training: { globalBatchSize: 20, microBatchSize: 4 },
      }),
      [
        "job.yaml:25:13: layout.schedule: zero-bubble over pipelineParallel 2: torch's InterleavedZeroBubble needs a multiple of 2 micro-batches on 2 ranks, not 5; use another batch, micro-batch or data parallelism, or fewer stages",
      ],
    ],
    "selective recompute under a schedule that splits backward": [
      fixtureText({
        layout: {
          schedule: "zero-bubble",
          recompute: ["none", "selective", "full", "none", "none", "none"],
        },
      }),
      [
        "job.yaml:26:3: layout.recompute: PyTorch cannot run the zero-bubble schedule with selective recompute; use none or full",
      ],
    ],
    "FSDP under a schedule that splits backward": [
      fixtureText({
        layout: { schedule: "dualpipev" },
        training: { optimizerSharding: "fsdp", microBatchSize: 1 },
      }),
      [
        "job.yaml:17:22: training.optimizerSharding: fsdp does not run under schedule dualpipev, whose backward comes in parts; use schedule gpipe, 1f1b or interleaved, or optimizerSharding zero1",
      ],
    ],
    "stages for some of the chunks alone": [
      fixtureText({ layout: { schedule: "dualpipev", stages: [3, 2, 1] } }),
      [
        "job.yaml:26:3: layout.stages: [3,2,1] is 3 stages, but layout.pipelineParallel 2 × 2 chunks is 4; give 4 entries or remove one of the two",
      ],
    ],
    "a stage a rank where each has several chunks": [
      fixtureText({ layout: { schedule: "interleaved", stages: [3, 3] } }),
      [
        "job.yaml:26:3: layout.stages: [3,3] is 2 stages, but interleaving needs 2 or more on each of pipelineParallel 2; give 4 entries or remove one of the two",
      ],
    ],
    "a memory limit beside a cluster to plan for": [
      fixtureText({ cluster: { ranks: undefined, gpu: "h100", nodes: 1, memoryLimit: 40 } }),
      [
        "job.yaml:28:16: cluster.memoryLimit: limits a rank of this machine, and the job plans for a cluster; use cluster.memoryReserve",
      ],
    ],
  };
  for (const [name, [text, lines]] of Object.entries(cases)) {
    it(name, async () => assert.deepEqual(await refusal(text), lines));
  }

  it("all of them at once, rules between sound fields included", async () => {
    const text = fixtureText({
      name: "Not Allowed",
      training: { steps: "400", learnRate: 1 },
      moe: { topK: 9 },
      controler: {},
      layout: { tensorParallel: 4 },
    });
    const places = (await refusal(text)).map((line) => line.split(": ")[1]);
    assert.deepEqual(places, [
      "name",
      "training.steps",
      "training.learnRate",
      "moe.topK",
      "layout.tensorParallel",
      "controler",
    ]);
  });
});
