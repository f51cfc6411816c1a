import { fixtureSpec } from "./crd/spec-fixture.ts";

type Changes = Record<string, unknown>;
type Section = "model" | "training" | "moe" | "layout";

/** The fixture's section with some of it changed. */
const inside = (section: Section, changes: Changes): Changes => ({
  [section]: { ...(fixtureSpec()[section] as Changes), ...changes },
});
const container = (own: Changes): Changes => ({
  template: { spec: { containers: [own] } },
});
const preset = (name: string, cluster: Changes, gpusPerNode: number): Changes => ({
  ...{ model: { preset: name }, moe: undefined, layout: undefined },
  ...{ cluster, gpusPerNode, nodes: { max: 1 } },
});
const H100 = { gpu: "h100" };

/** What is changed of the fixture's spec, or of its name, and what the API server says. */
export type RefusedCase = { spec?: Changes; name?: string; says: string };

/** What the CRD can say. */
export const REFUSED: Readonly<Record<string, RefusedCase>> = {
  "an unknown section": { spec: { modle: {} }, says: 'unknown field "spec.modle"' },
  "an unknown field of a section": {
    spec: inside("moe", { topk: 2 }),
    says: 'unknown field "spec.moe.topk"',
  },
  "a cluster's file, which is on nobody's machine there": {
    spec: { cluster: { file: "cluster.yaml" } },
    says: 'unknown field "spec.cluster.file"',
  },
  "ranks, which nodes and gpusPerNode say": {
    spec: { cluster: { ranks: 4 } },
    says: 'unknown field "spec.cluster.ranks"',
  },
  "a number that has a fraction": {
    spec: inside("training", { learningRate: 0.003 }),
    says: "spec.training.learningRate in body must be of type string",
  },
  "a quantity where a number belongs": {
    spec: inside("training", { learningRate: "3m" }),
    says: "spec.training.learningRate in body should match",
  },
  "a number out of bounds": {
    spec: inside("training", { adamBeta1: "1.5" }),
    says: "must be a number from 0 below 1, as text",
  },
  "a capacity of nothing": {
    spec: inside("moe", { capacityFactor: "0" }),
    says: "must be a number above 0 or dropless, as text",
  },
  "no model": { spec: { model: undefined }, says: "spec.model: Required value" },
  "a model without sizes": { spec: { model: {} }, says: "must have preset, config, weights or" },
  "two models": {
    spec: { model: { preset: "mixtral-8x7b", config: "config.json" } },
    says: "must have at most one of preset, config or weights",
  },
  "an unknown preset": {
    spec: preset("mixtral-9x9b", H100, 8),
    says: 'spec.model.preset: Unsupported value: "mixtral-9x9b"',
  },
  "an unknown GPU": {
    spec: preset("mixtral-8x7b", { gpu: "h1000" }, 8),
    says: 'spec.cluster.gpu: Unsupported value: "h1000"',
  },
  "no data": { spec: { data: undefined }, says: "spec.data: Required value" },
  "data from nowhere": { spec: { data: {} }, says: "must have exactly one of source, path or" },
  "data from two places": {
    spec: { data: { source: "python-standard-library", path: "text.bin" } },
    says: "must have exactly one of source, path or sources",
  },
  "more nodes at least than at most": {
    spec: { nodes: { min: 3, max: 2 } },
    says: "min must not be above max",
  },
  "no nodes": { spec: { nodes: { max: 0 } }, says: "should be greater than or equal to 1" },
  "more nodes than can be": {
    spec: { nodes: { max: 10_001 } },
    says: "should be less than or equal to 10000",
  },
  "no ranks of a node": {
    spec: { gpusPerNode: undefined },
    says: "spec.gpusPerNode: Required value",
  },
  "a name that is too long": { name: "a".repeat(44), says: "metadata.name begins with" },
  "a name that begins with a digit": { name: "1tiny", says: "metadata.name begins with" },
  "a negative count": {
    spec: inside("training", { steps: -1 }),
    says: "spec.training.steps in body should be greater than or equal to 1",
  },
  "negative seconds": {
    spec: { ttlSecondsAfterFinished: -1 },
    says: "should be greater than or equal to 0",
  },
  "a kind of children that there is not": {
    spec: { childKind: "Deployment" },
    says: 'spec.childKind: Unsupported value: "Deployment"',
  },
  "a scheme that there is not": {
    spec: inside("layout", { scheme: "xyz" }),
    says: 'spec.layout.scheme: Unsupported value: "xyz"',
  },
  "an empty list of schedules": {
    spec: inside("layout", { schedule: [] }),
    says: "spec.layout.schedule in body should have at least 1 items",
  },
  "a word where a layout belongs": {
    spec: { layout: "auto" },
    says: "spec.layout in body must be of type object",
  },
  "a queue that no queue is called": {
    spec: { queueName: "a_b" },
    says: "spec.queueName in body should match",
  },
  "key and value heads that do not divide heads": {
    spec: inside("model", { kvHeads: 3 }),
    says: "spec.model.kvHeads: Invalid value: .* must divide heads",
  },
  "a micro-batch that does not divide the batch": {
    spec: inside("training", { microBatchSize: 3 }),
    says: "must divide globalBatchSize",
  },
  "a warm-up longer than the run": {
    spec: inside("training", { warmupSteps: 500 }),
    says: "spec.training.warmupSteps: Invalid value: .* must be at most steps",
  },
  "more experts a token than there are": {
    spec: inside("moe", { topK: 9 }),
    says: "spec.moe.topK: Invalid value: .* must be at most experts",
  },
  "a template that touches what moestro depends on": {
    spec: { template: { spec: { restartPolicy: "Always" } } },
    says: "spec.template.spec.restartPolicy: .* must be left out: it is Never",
  },
  "a template of what no pod template has": {
    spec: { template: { metadata: { name: "mine" } } },
    says: 'unknown field "spec.template.metadata.name"',
  },
};

/** What a spec is changed into once it is there, and what the API server says. */
export const UNCHANGEABLE: Readonly<Record<string, [changes: Changes, says: string]>> = {
  "another model": [inside("model", { layers: 6 }), "model cannot be changed"],
  "other data": [{ data: { path: "other.bin" } }, "data cannot be changed"],
  "another learning rate": [
    inside("training", { learningRate: "1e-3" }),
    "training cannot be changed",
  ],
  "no layout where there was one": [{ layout: undefined }, "layout cannot be changed"],
  "a section that was left out": [{ controller: { strict: true } }, "controller cannot be changed"],
  "other nodes": [{ gpusPerNode: 4 }, "gpusPerNode cannot be changed"],
  "another kind of children": [{ childKind: "JobSet" }, "childKind cannot be changed"],
  "another queue while it runs": [{ queueName: "other" }, "set suspend to true first"],
};

/** What only the coordinator can judge, and the lines that both it and the CLI say. */
export const JUDGED: Readonly<Record<string, [changes: Changes, says: RegExp]>> = {
  "text of more than numbers hold": [
    inside("training", { learningRate: "1e999" }),
    /^spec\.training\.learningRate: "1e999" is no number in text; use a number above 0, as text$/,
  ],
  "heads that the tensor-parallel ranks cannot share": [
    inside("layout", { tensorParallel: 3 }),
    /^spec\.layout\.tensorParallel: 3 does not divide 4 attention heads; use 1, 2 or 4$/,
  ],
  "a hidden size that the heads cannot share": [
    inside("model", { hiddenSize: 130 }),
    /^spec\.model\.heads: 4 does not divide hiddenSize 130; use 2, 5, 10 or 13, or give headDim$/,
  ],
  "experts that the ranks cannot share": [
    inside("moe", { experts: 7 }),
    /^spec\.layout\.tensorParallel: 2 does not divide 7 experts, and scheme edp spreads them/,
  ],
  "a layout for more ranks than there are": [
    inside("layout", { pipelineParallel: 4 }),
    /^spec\.layout: tensorParallel 2 × pipelineParallel 4 = 8 does not divide the 4 ranks/,
  ],
  "nodes that the layout does not divide": [
    { nodes: { max: 3 } },
    /^spec\.layout: tensorParallel 2 × pipelineParallel 2 = 4 does not divide the 6 ranks/,
  ],
  "a pipeline that the ranks cannot share, which are nodes × gpusPerNode": [
    inside("layout", { pipelineParallel: 3, tensorParallel: 1 }),
    /^spec\.layout\.pipelineParallel: 3 does not divide 4 ranks \(nodes × gpusPerNode\); use 1, 2 or 4$/,
  ],
  "a layout that excludes itself": [
    inside("layout", { scheme: "ep", expertTensorParallel: 2 }),
    /^spec\.layout\.expertTensorParallel: 2 splits experts, but scheme ep keeps them whole/,
  ],
  "stages that are not the model's layers": [
    inside("layout", { stages: [2, 2] }),
    /^spec\.layout\.stages: \[2,2\] holds 4 layers, but the model has 5/,
  ],
  "more stages than the pipeline has": [
    inside("layout", { stages: [1, 2, 2] }),
    /^spec\.layout\.stages: \[1,2,2\] is 3 stages, but layout\.pipelineParallel is 2/,
  ],
  "GPUs that cannot hold the model": [
    preset("mixtral-8x7b", H100, 1),
    /^spec\.cluster: nothing fits 1 x H100-80G SXM: .*; use more GPUs, 12 x H100-80G SXM/,
  ],
  "a model that the engine does not train": [
    preset("deepseek-v2-lite", H100, 8),
    /^spec\.model\.latentAttention: .*: moestro plan takes it, but moestro train does not$/,
  ],
  "a config file that is not there": [
    { model: { config: "config.json" } },
    /^spec\.model\.config: config\.json: there is no such file; check the path$/,
  ],
  "a template whose container has no name": [
    container({ image: "mine" }),
    /^spec\.template\.spec\.containers\[0\]: has no name, which entries are merged by; add it$/,
  ],
  "a label that moestro finds its pods by": [
    { template: { metadata: { labels: { "moestro.dev/job": "other" } } } },
    /^spec\.template\.metadata\.labels\.moestro\.dev\/job: is a label that moestro finds/,
  ],
};
