import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MoestroError } from "../errors.ts";
import { shapeOfJob } from "../planner/model/shape-of-job.ts";
import { MODEL_NAMES, MODEL_SHAPES } from "../planner/model/shapes.ts";
import { refuseUntrainable, whyEngineCannotTrain } from "./engine-model.ts";
import { fixtureJob, type JobChanges } from "./job-fixture.ts";
import { parsePlanJob } from "./load-job.ts";
import { allowedSchedules, wantedRecompute } from "./planning-defaults.ts";

const BATCH = "training: {sequenceLength: 4096, globalBatchSize: 256}\n";
const H100 = "cluster: {gpu: h100, nodes: 16, gpusPerNode: 8}\n";

const read = (text: string) => parsePlanJob(text, "/jobs/My Plan_1.yaml", "job.yaml");
const refusedLines = (text: string): Promise<readonly string[]> =>
  read(text).then(
    () => [],
    (error: MoestroError) => error.lines,
  );

describe("a job for planning alone", () => {
  for (const name of MODEL_NAMES) {
    it(`takes the preset ${name} as the planner knows it`, async () => {
      const { job } = await read(`model: {preset: ${name}}\n${BATCH}${H100}`);
      assert.deepEqual(shapeOfJob(job), MODEL_SHAPES[name]);
    });
  }

  it("needs neither data nor steps nor a name, and follows the cluster", async () => {
    const { job } = await read(`model: {preset: deepseek-v3}\n${BATCH}${H100}`);
    assert.equal(job.name, "my-plan-1");
    assert.equal(job.cluster.ranks, 128);
    assert.deepEqual([job.training.precision, job.training.optimizerSharding], ["bf16", "zero1"]);
    assert.equal(wantedRecompute(job), "auto");
    assert.equal(allowedSchedules(job).length, 5);
  });

  it("keeps what an engine's job on this machine means", async () => {
    const { job } = await fixtureJob();
    assert.deepEqual([job.training.precision, job.training.optimizerSharding], ["fp32", "none"]);
    assert.deepEqual([wantedRecompute(job), allowedSchedules(job)], ["none", ["1f1b"]]);
    assert.equal(job.cluster.ranks, 4);
  });

  it("finds a cluster's file from the job file's folder", async () => {
    const { job } = await read(`model: {preset: dbrx}\n${BATCH}cluster: {file: a.json}\n`);
    assert.equal(job.cluster.file, "/jobs/a.json");
  });

  it("takes a model written inline with everything that sets it apart", async () => {
    const { job } = await read(`model:
  {layers: 6, hiddenSize: 256, heads: 4, ffnHiddenSize: 64, vocabSize: 512, denseLayers: [0, 2],
   denseFfnHiddenSize: 512, sharedFfnHiddenSize: 64, mtpLayers: 1, slidingWindow: 32, fullAttentionEvery: 3,
   latentAttention: {kvLoraRank: 32, qkNopeHeadDim: 16, qkRopeHeadDim: 8, vHeadDim: 16}}
moe: {experts: 8, topK: 2}
${BATCH}${H100}`);
    const shape = shapeOfJob(job);
    assert.deepEqual(shape.layers[2], { kind: "dense" });
    assert.deepEqual(shape.layers[3], { kind: "moe", window: 32 });
    assert.deepEqual(
      [shape.attention.kind, shape.dense?.hiddenSize, shape.mtpLayers],
      ["mla", 512, 1],
    );
  });

  it("takes a dense model written inline", async () => {
    const { job } = await read(
      `model: {layers: 4, hiddenSize: 256, heads: 4, ffnHiddenSize: 512, vocabSize: 512}\nmoe: {experts: 0}\n${BATCH}`,
    );
    assert.deepEqual([job.moe.topK, shapeOfJob(job).moe], [0, undefined]);
  });

  const cases: Record<string, [string, string[]]> = {
    "no batch": [
      `model: {preset: dbrx}\ntraining: {sequenceLength: 4096}\n${H100}`,
      [
        "job.yaml:2:1: training.globalBatchSize: is missing; add it. Sequences in one optimizer step, over all ranks.",
      ],
    ],
    "no nodes": [
      `model: {preset: dbrx}\n${BATCH}cluster: {gpu: h100}\n`,
      ["job.yaml:3:1: cluster.nodes: is missing; say how many nodes of 8 h100 the cluster has"],
    ],
    "zero nodes": [
      `model: {preset: dbrx}\n${BATCH}cluster: {gpu: h100, nodes: 0}\n`,
      ["job.yaml:3:29: cluster.nodes: 0 is out of range; use a whole number from 1 to 1000000"],
    ],
    "ten million GPUs": [
      `model: {preset: dbrx}\n${BATCH}cluster: {gpu: h100, nodes: 1000000, gpusPerNode: 10}\n`,
      ["job.yaml:3:29: cluster.nodes: 1000000 of 10 GPUs are 10000000; use at most 1000000 GPUs"],
    ],
    "an unknown GPU": [
      `model: {preset: dbrx}\n${BATCH}cluster: {gpu: h10, nodes: 1}\n`,
      [
        'job.yaml:3:16: cluster.gpu: "h10" is text, but must be a800, a100-40, a100-80, h100, h800, h200, b200, gb200, rtx4090 or cpu; did you mean h100?',
      ],
    ],
    "two clusters": [
      `model: {preset: dbrx}\n${BATCH}cluster: {gpu: h100, nodes: 1, file: a.json}\n`,
      ["job.yaml:3:38: cluster.file: is given beside cluster.gpu; keep one of them"],
    ],
    "ranks that are not the cluster's": [
      `model: {preset: dbrx}\n${BATCH}cluster: {gpu: h100, nodes: 2, ranks: 8}\n`,
      ["job.yaml:3:39: cluster.ranks: 8 is not nodes 2 × gpusPerNode 8 = 16; leave it out"],
    ],
    "nodes of this machine": [
      `model: {preset: dbrx}\n${BATCH}cluster: {nodes: 2}\n`,
      [
        "job.yaml:3:18: cluster.nodes: says nothing of this machine; give cluster.gpu beside it, or use cluster.ranks",
      ],
    ],
    "stages that do not add up": [
      `model: {preset: dbrx}\n${BATCH}${H100}layout: {stages: [20, 21]}\n`,
      [
        "job.yaml:4:18: layout.stages: holds 41 layers, but the model has 40; make the entries add up to 40",
      ],
    ],
    "dense layers beyond the last": [
      `model: {preset: dbrx, denseLayers: [40]}\n${BATCH}${H100}`,
      ["job.yaml:1:36: model.denseLayers: 40 is beyond the model's 40 layers; use smaller numbers"],
    ],
    "an imbalance below balance": [
      `model: {preset: dbrx}\n${BATCH}${H100}moe: {imbalance: 0.5}\n`,
      ["job.yaml:4:18: moe.imbalance: 0.5 is out of range; use a number from 1 to 1024"],
    ],
  };
  for (const [name, [text, lines]] of Object.entries(cases)) {
    it(`is refused for ${name}`, async () => assert.deepEqual(await refusedLines(text), lines));
  }
});

describe("whyEngineCannotTrain", () => {
  it("lets a job of the engine pass", async () =>
    assert.equal(whyEngineCannotTrain((await fixtureJob()).job), undefined));

  it("lets bf16, any sharding, schedule and recompute pass", async () => {
    const { job } = await fixtureJob({
      training: { precision: "bf16", optimizerSharding: "fsdp" },
      layout: { virtualPipeline: 2, recompute: "selective" },
    });
    assert.equal(whyEngineCannotTrain(job), undefined);
  });

  it("lets dense layers and shared experts pass", async () => {
    const model = { denseLayers: [0], denseFfnHiddenSize: 96, sharedFfnHiddenSize: 64 };
    const { job } = await fixtureJob({ model: { ...model, sharedExpertGate: true } });
    assert.equal(whyEngineCannotTrain(job), undefined);
  });

  const cases: Record<string, [JobChanges, string]> = {
    "a window": [{ model: { slidingWindow: 64 } }, "model.slidingWindow"],
    "MTP layers": [{ model: { mtpLayers: 1 } }, "model.mtpLayers"],
    "a dense model": [{ moe: { experts: 0, topK: undefined } }, "moe.experts"],
    "a cluster": [{ cluster: { ranks: undefined, gpu: "a800", nodes: 2 } }, "cluster"],
    fp8: [{ training: { precision: "fp8" } }, "training.precision"],
  };
  for (const [name, [changes, place]] of Object.entries(cases)) {
    it(`refuses ${name} in one line`, async () => {
      const file = await fixtureJob(changes);
      assert.throws(
        () => refuseUntrainable(file),
        (error) =>
          error instanceof MoestroError &&
          error.lines.length === 1 &&
          error.message.includes(` ${place}: `) &&
          error.message.endsWith("moestro plan takes it, but moestro train does not"),
      );
    });
  }
});
