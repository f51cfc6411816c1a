import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { MoestroError } from "../../errors.ts";
import { planJob } from "../../planner/plan-job.ts";
import { type JobFile, parseJob } from "../../spec/load-job.ts";
import { parseYaml } from "../../spec/yaml-source.ts";
import { jobOfSpec } from "./job-of-spec.ts";
import { inSpecTerms } from "./spec-errors.ts";
import { fixtureSpec } from "./spec-fixture.ts";
import { specOfJob } from "./spec-of-job.ts";

const OPTIONS = { name: "tiny", folder: "/jobs" };
const read = (changes: Record<string, unknown>) => jobOfSpec(fixtureSpec(changes), OPTIONS);

async function lines(action: () => Promise<unknown>): Promise<readonly string[]> {
  try {
    await action();
  } catch (error) {
    if (error instanceof MoestroError) return error.lines;
    throw error;
  }
  return [];
}

describe("the job of a spec", () => {
  it("has numbers where the spec has text, and one word where it has a list of one", async () => {
    const { file } = await read({});
    assert.equal(file.job.training.learningRate, 0.003);
    assert.equal(file.job.moe.capacityFactor, 1.25);
    assert.deepEqual(file.job.layout === "auto" ? [] : file.job.layout.schedule, ["1f1b"]);
    assert.deepEqual([file.job.name, file.job.cluster.ranks], ["tiny", 4]);
  });

  it("knows the words that stand for numbers", async () => {
    const { file } = await read({
      moe: { experts: 8, topK: 2, capacityFactor: "dropless", gateNormalization: "false" },
    });
    assert.equal(file.job.moe.capacityFactor, "dropless");
    assert.equal(file.job.moe.gateNormalization, false);
  });

  it("keeps a list of layers a list, and is planned freely without a layout", async () => {
    const { file } = await read({
      model: { ...(fixtureSpec().model as object), denseLayers: [0] },
      layout: undefined,
    });
    assert.deepEqual(file.job.model.denseLayers, [0]);
    assert.equal(file.job.layout, "auto");
  });

  it("is for the cluster's nodes where it names GPUs", async () => {
    const { file } = await read({ cluster: { gpu: "h100" }, nodes: { max: 2 }, gpusPerNode: 8 });
    const { nodes, gpusPerNode, ranks } = file.job.cluster;
    assert.deepEqual([nodes, gpusPerNode, ranks], [2, 8, 16]);
  });

  it("has relative paths begin at the folder", async () => {
    const { file } = await read({ data: { path: "corpus.bin" } });
    assert.equal(file.job.data.path, "/jobs/corpus.bin");
  });

  for (const example of ["quickstart", "interleaved", "dense", "blend"]) {
    it(`comes back from the spec of examples/${example}.yaml as it was`, async () => {
      const url = new URL(`../../../examples/${example}.yaml`, import.meta.url);
      const text = await readFile(url, "utf8");
      const before: JobFile = await parseJob(text, "/jobs/job.yaml");
      const spec = JSON.parse(JSON.stringify(specOfJob(parse(text), before.job)));
      const { file } = await jobOfSpec(spec, { name: before.job.name, folder: "/jobs" });
      assert.deepEqual(file.job, before.job);
    });
  }
});

describe("a spec with mistakes", () => {
  const training = fixtureSpec().training as object;
  const cases: Record<string, [changes: Record<string, unknown>, wanted: string[]]> = {
    "a number that is no text": [
      { training: { ...training, learningRate: 0.003 } },
      [
        `spec.training.learningRate: Kubernetes' API has no fractions, so numbers are text here; write "0.003"`,
      ],
    ],
    "text that is no number": [
      { training: { ...training, learningRate: "fast" } },
      [`spec.training.learningRate: "fast" is no number in text; use a number above 0, as text`],
    ],
    "a number out of bounds": [
      { training: { ...training, adamBeta1: "1.5" } },
      ["spec.training.adamBeta1: 1.5 is out of range; use a number from 0 below 1"],
    ],
    "a word where there are lists": [
      { layout: { schedule: "1f1b" } },
      ["spec.layout.schedule: is always a list here; write [1f1b]"],
    ],
    "a layout that is a word": [
      { layout: "auto" },
      ["spec.layout: must be a mapping here; leave it out to have the planner choose"],
    ],
    "ranks of a cluster": [
      { cluster: { ranks: 4 } },
      [
        "spec.cluster.ranks: is not said here: spec.nodes and spec.gpusPerNode say what there is; remove it",
      ],
    ],
    "fewer nodes than it may go on with": [
      { nodes: { min: 3, max: 2 } },
      ["spec.nodes.min: 3 is above nodes.max 2; use at most 2"],
    ],
    "no nodes": [
      { nodes: { max: 0 } },
      ["spec.nodes.max: 0 does not fit; use a whole number from 1 to 10000"],
    ],
    "an unknown key": [{ modle: {} }, ["spec.modle: unknown key; did you mean model?"]],
    "a name": [
      { name: "x" },
      ["spec.name: unknown key; a MoETrainingJob is called by metadata.name"],
    ],
    "an unknown key of a section": [
      { moe: { experts: 8, topk: 2 } },
      [
        "spec.moe.topK: is missing; add it, or give model.preset or model.config",
        "spec.moe.topk: unknown key; did you mean topK?",
      ],
    ],
    "no ranks a node": [
      { gpusPerNode: undefined },
      [
        "spec.gpusPerNode: is missing; add it. Ranks of a node: its GPUs, or processes where cluster.device is cpu.",
      ],
    ],
    "a layout that does not divide": [
      { layout: { tensorParallel: 3 } },
      ["spec.layout.tensorParallel: 3 does not divide 4 attention heads; use 1, 2 or 4"],
    ],
    "a model that the engine does not train": [
      { model: { preset: "deepseek-v2-lite" }, moe: undefined, layout: undefined },
      [
        "spec.model.latentAttention: the model has multi-head latent attention: moestro plan takes it, but moestro train does not",
      ],
    ],
    "a warm-up longer than the run": [
      { training: { ...training, warmupSteps: 500 } },
      ["spec.training.warmupSteps: 500 is more than training.steps 240; use at most 240"],
    ],
  };
  for (const [what, [changes, wanted]] of Object.entries(cases)) {
    it(`is told of ${what} in its own terms`, async () =>
      assert.deepEqual(await lines(() => read(changes)), wanted));
  }

  it("has line and column where it was read from a file", async () => {
    const text = `spec:\n  gpusPerNode: 2\n  nodes: {max: 2}\n  model: {preset: mixtral-8x7b}
  data: {source: python-standard-library}
  training:\n    steps: 10\n    sequenceLength: 64\n    globalBatchSize: 4\n    learningRate: "1"\n    microBatchSize: 3\n`;
    const { raw, source } = parseYaml(text, "job.yaml");
    const { spec } = raw as { spec: unknown };
    assert.deepEqual(await lines(() => jobOfSpec(spec, { ...OPTIONS, source })), [
      "job.yaml:11:21: spec.training.microBatchSize: 3 does not divide globalBatchSize 4; use 1, 2 or 4",
    ]);
  });

  it("is told why there is no plan where the spec says so", async () => {
    const { file } = await read({
      layout: { pipelineParallel: 2, tensorParallel: 2 },
      nodes: { max: 2 },
    });
    const plan = () => Promise.resolve(planJob(file.job, { ranks: 3, source: file.source }));
    const [line = ""] = await lines(() => inSpecTerms(undefined, plan));
    assert.match(line, /^spec\.\w+/);
  });
});
