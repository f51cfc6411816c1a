import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { PlanDocument } from "../../coordinator/planner/plan-document.ts";
import { tinyJob, Workplace } from "./moestro.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/moestro.mjs", import.meta.url));

/** Runs of moestro that share two cores. */
const AT_ONCE = { concurrency: 2 };

/** A Mixtral on H100s. Overrides are whole sections; JSON is YAML. */
function job(overrides: Record<string, unknown> = {}): Record<string, string> {
  const document = {
    model: { preset: "mixtral-8x7b" },
    cluster: { gpu: "h100", nodes: 4 },
    training: { sequenceLength: 4096, globalBatchSize: 64 },
    ...overrides,
  };
  return { "job.yaml": JSON.stringify(document) };
}

const layout = (layout: Record<string, unknown>, training: Record<string, unknown> = {}) =>
  job({ layout, training: { sequenceLength: 4096, globalBatchSize: 64, ...training } });

const onGpus = (cluster: Record<string, unknown>, rest: Record<string, unknown> = {}) =>
  job({ cluster: { gpu: "h100", ...cluster }, ...rest });

const LINK = { latencyMicroseconds: 10, curve: [[1, 0.1] as unknown, [1000, 100], [100_000, 300]] };

/** A job for the cluster in a file beside it. */
function onFile(changes: Record<string, unknown> = {}, text?: string): Record<string, string> {
  const cluster = {
    ...{ name: "mine", nodes: 4, gpusPerNode: 8 },
    accelerator: {
      ...{ name: "G", memoryGB: 80, memoryBandwidthGBps: 3000 },
      ...{ peakTflops: { bf16: 900 }, achievable: { bf16: 0.7 } },
    },
    ...{ intra: LINK, inter: LINK },
    ...changes,
  };
  // JSON has no NaN, YAML has.
  const written = text ?? JSON.stringify(cluster).replaceAll('"NaN"', ".nan");
  return { ...job({ cluster: { file: "mine.yaml" } }), "mine.yaml": written };
}

const withCurve = (curve: unknown[]) => onFile({ intra: { ...LINK, curve } });

const withConfig = (text: string) => ({
  ...job({ model: { config: "config.json" } }),
  "config.json": text,
});

type Case = [
  what: string,
  files: Record<string, string>,
  code: 2 | 3,
  told: RegExp,
  args?: string[],
];

/** The line that says what is closest, and what a search found to fit. */
const FITTING: Case[] = [
  [
    "more GPUs, larger ones and presets that have the memory",
    onGpus({ nodes: 1 }),
    3,
    /^job\.yaml: cluster: nothing fits 8 x H100-80G SXM: the closest \(tp \d+, .*\) misses [\d.]+ GB on its fullest GPU; use more GPUs, 16 x H100-80G SXM \(2 nodes\); or use GPUs with more memory, 8 of \d+ GB such as 8 x h200, 8 x b200 or 8 x gb200\n$/,
  ],
  [
    "settings that are fixed and need not be",
    job({
      layout: { ...{ tensorParallel: 1, pipelineParallel: 1 }, expertParallel: 1 },
      cluster: { gpu: "h100", nodes: 1 },
      training: { sequenceLength: 4096, globalBatchSize: 64, optimizerSharding: "none" },
    }),
    3,
    /^job\.yaml: cluster: nothing fits 8 x .*; use .*\n$/,
  ],
  [
    "that nothing was found",
    onGpus(
      { gpu: "rtx4090", nodes: 1, gpusPerNode: 1 },
      {
        model: { preset: "deepseek-v3" },
        layout: {
          ...{ tensorParallel: 1, pipelineParallel: 1 },
          contextParallel: 1,
          dataParallel: 1,
        },
      },
    ),
    3,
    /^job\.yaml: cluster: nothing fits 1 x RTX 4090: .* misses [\d.]+ GB .*\n$/,
  ],
  [
    "what a layout to compare would need",
    onGpus({ nodes: 1 }),
    3,
    /^--compare tp=1,pp=1: nothing fits 8 x .*; .*use more GPUs, .*\n$/,
    ["--compare", "tp=1,pp=1"],
  ],
];

/** Two sides, the rule, and what to do. */
const CONFLICTS: Case[] = [
  [
    "more stages than layers",
    layout({ pipelineParallel: 64 }),
    2,
    /^job\.yaml:1:\d+: layout\.pipelineParallel: 64 is more than 32 layers.*; use .*32\n$/,
  ],
  [
    "experts that do not divide",
    layout({ expertParallel: 3 }),
    2,
    /^job\.yaml:1:\d+: layout\.expertParallel: 3 does not divide 8 experts; use 1, 2, 4 or 8\n$/,
  ],
  [
    "replicas times micro-batch that do not divide the batch",
    layout({ dataParallel: 16 }, { microBatchSize: 8 }),
    2,
    /^job\.yaml:1:\d+: layout\.dataParallel: 16 times micro-batch 8 does not divide a global batch of 64 .*; use .*\n$/,
  ],
  [
    "tensor parallelism against the heads",
    layout({ tensorParallel: 3 }),
    2,
    /^job\.yaml:1:\d+: layout\.tensorParallel: 3 does not divide 32 attention heads; use .*\n$/,
  ],
  [
    "tensor parallelism against the key-value heads",
    job({ model: { preset: "qwen2-57b-a14b" }, layout: { tensorParallel: 7 } }),
    2,
    /^job\.yaml:1:\d+: layout\.tensorParallel: 7 neither divides 4 key-value heads.*; use .*\n$/,
  ],
  [
    "context parallelism against the sequence",
    layout({ contextParallel: 3 }),
    2,
    /^job\.yaml:1:\d+: layout\.contextParallel: 3 needs a sequence length divisible by 6, not 4096; use .*\n$/,
  ],
  [
    "tensor and context parallelism that together cut the sequence too often",
    layout({ tensorParallel: 8, contextParallel: 4 }, { sequenceLength: 16 }),
    2,
    /^job\.yaml:1:\d+: layout: tensorParallel 8 × contextParallel 4 = 32 does not divide 16 tokens .*; use .*\n$/,
  ],
  [
    "interleaving without a pipeline",
    layout({ schedule: "interleaved", pipelineParallel: 1 }),
    2,
    /^job\.yaml:1:\d+: layout\.schedule: interleaved needs a pipeline, but pipelineParallel is 1; use .*\n$/,
  ],
  [
    "chunks without a pipeline",
    layout({ virtualPipeline: 2, pipelineParallel: 1 }),
    2,
    /^job\.yaml:1:\d+: layout\.virtualPipeline: 2 .* pipelineParallel 1 .*; use .*\n$/,
  ],
  [
    "chunks without interleaving",
    layout({ virtualPipeline: 2, pipelineParallel: 4, schedule: "1f1b" }),
    2,
    /^job\.yaml:1:\d+: layout\.virtualPipeline: 2 is for schedule interleaved, but 1f1b .*; use .*\n$/,
  ],
  [
    "more chunks than layers",
    layout({ virtualPipeline: 9, pipelineParallel: 4 }),
    2,
    /^job\.yaml:1:\d+: layout\.virtualPipeline: pipelineParallel 4 × 9 chunks = 36 is more than 32 layers.*; use at most 8 .*\n$/,
  ],
  [
    "interleaving with fewer micro-batches than stages",
    layout(
      { schedule: "interleaved", pipelineParallel: 8, dataParallel: 4 },
      { microBatchSize: 4 },
    ),
    2,
    /^job\.yaml:1:\d+: layout\.schedule: interleaved needs 8 micro-batches .* makes 4; use .*\n$/,
  ],
  [
    "scheme edp with other experts than tensors",
    layout({ scheme: "edp", tensorParallel: 4, expertParallel: 8 }),
    2,
    /^job\.yaml:1:\d+: layout\.expertParallel: 8 is not tensorParallel 4, but scheme edp .*; use 4\n$/,
  ],
  [
    "scheme ep with split experts",
    layout({ scheme: "ep", expertTensorParallel: 2 }),
    2,
    /^job\.yaml:1:\d+: layout\.expertTensorParallel: 2 splits experts, but scheme ep .*; use 1.*\n$/,
  ],
  [
    "scheme etp with other experts than tensors",
    layout({ scheme: "etp", tensorParallel: 4, expertTensorParallel: 2 }),
    2,
    /^job\.yaml:1:\d+: layout\.expertTensorParallel: 2 is not tensorParallel 4, but scheme etp .*; use 4.*\n$/,
  ],
  [
    "a scheme that the sizes are not",
    layout({ scheme: "folded", tensorParallel: 4, expertParallel: 4, expertTensorParallel: 1 }),
    2,
    /^job\.yaml:1:\d+: layout\.scheme: folded means .* tensorParallel 4, .*; use scheme edp.*\n$/,
  ],
  [
    "experts larger than a stage",
    layout({ pipelineParallel: 8, expertParallel: 8, expertTensorParallel: 4 }),
    2,
    /^job\.yaml:1:\d+: layout: expertParallel 8 × expertTensorParallel 4 = 32 does not divide the 4 ranks of a stage \(32 \/ pipelineParallel 8\); use .*\n$/,
  ],
  [
    "stages that hold other than all layers",
    layout({ stages: [8, 8, 8, 7] }),
    2,
    /^job\.yaml:1:\d+: layout\.stages: holds 31 layers, but the model has 32; .*\n$/,
  ],
  [
    "stages of another number than the pipeline",
    layout({ stages: [16, 16], pipelineParallel: 4 }),
    2,
    /^job\.yaml:1:\d+: layout\.stages: \[16,16\] is 2 stages, but layout\.pipelineParallel is 4; .*\n$/,
  ],
  [
    "sizes whose product is not the ranks",
    layout({ tensorParallel: 4, pipelineParallel: 4, dataParallel: 4 }),
    2,
    /^job\.yaml:1:\d+: layout: tensorParallel 4 × pipelineParallel 4 × dataParallel 4 = 64 does not divide the 32 ranks .*\n$/,
  ],
  [
    "experts' sizes in a dense model",
    job({ model: { preset: "llama3-8b" }, layout: { expertParallel: 2 } }),
    2,
    /^job\.yaml:1:\d+: layout\.expertParallel: 2 splits experts, but the model has none; .*\n$/,
  ],
  [
    "a layout that the asked software cannot be told",
    layout({ expertTensorParallel: 2 }),
    3,
    /^job\.yaml:1:\d+: layout\.expertTensorParallel: 2 excludes what torchtitan can be told on 32 ranks, since torchtitan splits no expert.*; .*\n$/,
    ["--expressible", "torchtitan"],
  ],
  [
    "a number of GPUs that no layout has, in whole nodes",
    onGpus({ nodes: 37 }, { layout: { pipelineParallel: 1 } }),
    2,
    /^job\.yaml:1:\d+: cluster\.nodes: 296 is no product .* contextParallel up to \d+ .* pipelineParallel 1 \(fixed; .*; use 32 or 64 nodes of 8, 256 or 512 ranks\n$/,
  ],
];

/** Faults of files and numbers. */
const INPUTS: Case[] = [
  [
    "a precision that the GPU lacks",
    onGpus(
      { gpu: "a800", nodes: 4 },
      { training: { ...{ sequenceLength: 4096 }, globalBatchSize: 64, precision: "fp8" } },
    ),
    2,
    /^job\.yaml:1:\d+: training\.precision: A800-80G SXM has no fp8; use bf16 or fp32\n$/,
  ],
  [
    "a reserve of all memory",
    onGpus({ nodes: 1, memoryReserve: 90 }),
    2,
    /^job\.yaml:1:\d+: cluster\.memoryReserve: 90 GB leaves nothing of the 80\.0 GB .*; use less\n$/,
  ],
  [
    "zero nodes",
    onGpus({ nodes: 0 }),
    2,
    /^job\.yaml:1:\d+: cluster\.nodes: 0 is out of range.*\n$/,
  ],
  [
    "more than a million GPUs",
    onGpus({ nodes: 1_000_000 }),
    2,
    /^job\.yaml:1:\d+: cluster\.nodes: 1000000 of 8 GPUs are 8000000; use at most 1000000 GPUs\n$/,
  ],
  [
    "a million GPUs that the batch cannot use",
    onGpus({ nodes: 125_000 }),
    2,
    /^job\.yaml:1:\d+: cluster\.nodes: 1000000 is .*; use .* nodes of 8, .* ranks\n$/,
  ],
  [
    "a cluster file that is not there",
    job({ cluster: { file: "mine.yaml" } }),
    2,
    /^mine\.yaml: there is no such file; check the path\n$/,
  ],
  ["an empty cluster file", onFile({}, ""), 2, /^mine\.yaml:1:1: is no cluster file; it has .*\n$/],
  ["a cluster file of bytes", onFile({}, "\0\u0001\u0002"), 2, /^mine\.yaml:1:1: .+\n$/],
  [
    "a curve whose sizes fall",
    withCurve([
      [1000, 100],
      [1, 0.1],
    ]),
    2,
    /^mine\.yaml:1:\d+: intra\.curve\[1\]: size 1 follows 1000; sort .*\n$/,
  ],
  [
    "a curve with NaN",
    withCurve([
      [1, "NaN"],
      [1000, 100],
    ]),
    2,
    /^mine\.yaml:1:\d+: intra\.curve\[0\]\[1\]: NaN does not fit; use a finite number\n$/,
  ],
  [
    "a curve with a rate below zero",
    withCurve([
      [1, -1],
      [1000, 100],
    ]),
    2,
    /^mine\.yaml:1:\d+: intra\.curve\[0\]\[1\]: -1 is out of range; use above 0\n$/,
  ],
  [
    "a curve without points",
    withCurve([]),
    2,
    /^mine\.yaml:1:\d+: intra\.curve: .*; use at least 1 entry\n$/,
  ],
  [
    "a curve that is no list of pairs",
    withCurve([1]),
    2,
    /^mine\.yaml:1:\d+: intra\.curve\[0\]: 1 does not fit; use a pair \[kilobytes.*\n$/,
  ],
  [
    "a latency below zero",
    onFile({ inter: { ...LINK, latencyMicroseconds: -5 } }),
    2,
    /^mine\.yaml:1:\d+: inter\.latencyMicroseconds: -5 is out of range; use at least 0\n$/,
  ],
  [
    "a cluster file of more than a million GPUs",
    onFile({ nodes: 1_000_000 }),
    2,
    /^mine\.yaml:1:\d+: nodes: 1000000 of 8 GPUs are 8000000; use at most 1000000 GPUs\n$/,
  ],
  [
    "more nodes than the file has a link for",
    {
      ...onFile({ nodes: 1, inter: undefined }),
      ...job({ cluster: { file: "mine.yaml", nodes: 4 } }),
    },
    2,
    /^mine\.yaml:1:\d+: nodes: 4 nodes need the link between them; add inter .*\n$/,
  ],
  [
    "a config.json with a number that is not finite",
    withConfig('{"model_type": "mixtral", "hidden_size": 1e999}'),
    2,
    /^job\.yaml:1:\d+: model\.config: config\.json: .+\n$/,
  ],
  ["an empty job", { "job.yaml": "" }, 2, /^job\.yaml:1:1: the file is empty; .*\n$/],
];

/** Things asked for beside each other, or of what has none of it. */
const OPTIONS: Case[] = [
  [
    "a micro-batch to compare that does not divide the batch",
    job(),
    2,
    /^--compare mbs=7: training\.microBatchSize: 7 does not divide globalBatchSize 64; use 2, 4, 8 or 16\n$/,
    ["--compare", "mbs=7"],
  ],
  [
    "chunks to compare under a schedule without",
    job(),
    2,
    /^--compare vpp=2,schedule=1f1b: layout\.virtualPipeline: 2 is for schedule interleaved, but 1f1b .*; use .*\n$/,
    ["--compare", "vpp=2,schedule=1f1b"],
  ],
  [
    "a schedule to compare that needs a pipeline",
    job(),
    2,
    /^--compare schedule=dualpipev,pp=1: layout\.schedule: dualpipev needs a pipeline, .*; use .*\n$/,
    ["--compare", "schedule=dualpipev,pp=1"],
  ],
  [
    "stages of the job against a pipeline to compare",
    layout({ stages: [8, 8, 8, 8] }),
    2,
    /^--compare pp=2: layout\.stages: \[8,8,8,8\] is 4 stages, but layout\.pipelineParallel is 2; .*\n$/,
    ["--compare", "pp=2"],
  ],
  [
    "a size to compare that stands twice",
    job(),
    2,
    /^--compare tp=1,tp=2: tp stands twice; .*\n$/,
    ["--compare", "tp=1,tp=2"],
  ],
  [
    "experts to compare in a dense model",
    job({ model: { preset: "llama3-8b" } }),
    2,
    /^--compare ep=2: layout\.expertParallel: 2 splits experts, but the model has none; .*\n$/,
    ["--compare", "ep=2"],
  ],
  [
    "what the job excludes, for other numbers of GPUs too",
    layout({ virtualPipeline: 2, pipelineParallel: 4, schedule: "1f1b" }),
    2,
    /^job\.yaml:1:\d+: layout\.virtualPipeline: 2 is for schedule interleaved, .*\n$/,
    ["--what-if", "gpus=8,16"],
  ],
  [
    "other software for a job of this machine",
    { "job.yaml": tinyJob() },
    2,
    /^--expressible megatron: is for jobs that plan for a cluster, .*; leave it out, or .*\n$/,
    ["--expressible", "megatron"],
  ],
  [
    "a certificate for a job of this machine",
    { "job.yaml": tinyJob() },
    2,
    /^--certify: is for jobs that plan for a cluster, .*; leave it out, or .*\n$/,
    ["--certify", "5"],
  ],
  [
    "other software for a probed machine",
    { "job.yaml": tinyJob() },
    2,
    /^error: option '--expressible <target>' cannot be used with option '--profile <file>'\n$/,
    ["--expressible", "megatron", "--profile", "probe.json"],
  ],
];

/** Stages without a layer. */
const EMPTY_STAGES: Case[] = [
  [
    "a stage without layers that is not the last",
    layout({ stages: [16, 0, 16] }),
    2,
    /^job\.yaml:1:\d+: layout\.stages\[1\]: stage 1 holds no layer, but only the last .*; give it .*\n$/,
  ],
  [
    "a stage of the head alone on this machine",
    { "job.yaml": tinyJob({ layout: { stages: [3, 0], tensorParallel: 2 } }) },
    2,
    /^job\.yaml:\d+:\d+: layout\.stages\[1\]: stage 1 holds no layer, but every stage of moestro's engine .*\n$/,
  ],
  [
    "a stage of the head alone in moestro's engine on a cluster",
    layout({ stages: [16, 16, 0], tensorParallel: 1 }),
    2,
    /^job\.yaml:1:\d+: layout\.stages: the last stage holds no layer, but .* without --expressible moestro\n$/,
    ["--expressible", "moestro"],
  ],
];

for (const [about, cases] of [
  ["options that exclude each other, or the job, are refused", OPTIONS],
  ["only the last stage may hold no layer", EMPTY_STAGES],
  ["when nothing fits, a plan says in one line", FITTING],
  ["what excludes each other is named with its rule", CONFLICTS],
  ["a faulty number or file is named where it stands", INPUTS],
] as const) {
  test(about, AT_ONCE, async (t) => {
    const told = cases.map(([what, files, code, line, args = []]) =>
      t.test(`${what}: exit code ${code}`, async () => {
        const { stderr, stdout, exitCode } = await runApart(files, ["plan", "job.yaml", ...args]);
        assert.match(stderr, line);
        assert.deepEqual([exitCode, stdout], [code, ""]);
        assert.equal(stderr.split("\n").length, 2, "one line");
      }),
    );
    await Promise.all(told);
  });
}

test("a curve of one point is enough to plan", async () => {
  const { exitCode, stderr } = await runApart(withCurve([[1000, 100]]), ["plan", "job.yaml"]);
  assert.equal(exitCode, 0, stderr);
});

test("a folder in a file's place is refused by its name as it was typed", async () => {
  const place = new Workplace();
  try {
    mkdirSync(place.path("inner"));
    mkdirSync(place.path("inner", "mine.yaml"));
    place.write("inner/job.yaml", onFile()["job.yaml"] as string);
    const inCluster = await place.run(["plan", "inner/job.yaml"]);
    assert.equal(inCluster.stderr, "inner/mine.yaml: is a folder; give the path of a file\n");
    const asJob = await place.run(["plan", "inner"]);
    assert.equal(asJob.stderr, "inner: is a folder; give the path of a file\n");
    assert.deepEqual([inCluster.exitCode, asJob.exitCode], [2, 2]);
  } finally {
    await place.remove();
  }
});

test(
  "a stored plan with a wrong field is refused by the field and what it must be",
  AT_ONCE,
  async (t) => {
    const planned = await runApart(job(), ["plan", "job.yaml", "--json"]);
    assert.equal(planned.exitCode, 0, planned.stderr);
    type Sizes = Record<string, unknown>;
    type Stored = {
      best: { layout: Sizes; stages: Sizes[]; certificate: Sizes };
      cluster: Sizes;
      model: Sizes;
    };
    const cases: [change: (plan: Stored) => void, told: RegExp][] = [
      [
        ({ best }) => {
          best.layout.tensorParallel = 0;
        },
        /best\.layout\.tensorParallel: 0 must be above 0/,
      ],
      [
        ({ best }) => {
          best.layout.schedule = "none";
        },
        /best\.layout\.schedule: "none" must be gpipe, 1f1b,/,
      ],
      [
        ({ best }) => {
          (best.stages[0] as Sizes).forwardMs = -1;
        },
        /best\.stages\[0\]\.forwardMs: -1 must be at least 0/,
      ],
      [
        ({ best }) => {
          (best.stages[0] as Sizes).forwardMs = "1";
        },
        /best\.stages\[0\]\.forwardMs: "1" must be a finite number/,
      ],
      [
        ({ model }) => {
          model.layers = 31;
        },
        /best\.stages: must hold each of model\.layers once/,
      ],
      [
        ({ cluster }) => {
          cluster.gpus = 3;
        },
        /best\.layout: must have tensorParallel × .* = cluster\.gpus/,
      ],
      [
        ({ best }) => {
          best.layout.numMicroBatches = 3;
        },
        /best\.layout: must have microBatchSize × numMicroBatches × dataParallel = batch/,
      ],
      [
        ({ best }) => {
          best.layout.expertDataParallel = 7;
        },
        /best\.layout: must have expertParallel × expertTensorParallel × expertDataParallel = /,
      ],
      [
        ({ best }) => {
          (best.stages[0] as Sizes).pipelineRank = 9;
        },
        /best\.stages\[0\]\.pipelineRank: must be 0, where the schedule/,
      ],
      [
        ({ best }) => {
          best.certificate.gap = 1.5;
        },
        /best\.certificate\.gap: 1\.5 must be below 1/,
      ],
      [
        (plan) => {
          delete (plan as Partial<Stored>).cluster;
        },
        /cluster: is missing/,
      ],
    ];
    const refused = cases.map(([change, told]) =>
      t.test(told.source, async () => {
        const plan = JSON.parse(planned.stdout) as Stored;
        change(plan);
        const files = { "plan.json": JSON.stringify(plan) };
        const { stderr, exitCode } = await runApart(files, ["export", "plan.json", "--to", "html"]);
        assert.match(stderr, told);
        assert.match(stderr, /^plan\.json: .*; give a job file .*\n$/);
        assert.equal(exitCode, 2);
      }),
    );
    await Promise.all(refused);
  },
);

test("a stage of the head alone can be fixed, as the planner has it", async () => {
  const stages = [11, 11, 10, 0];
  const files = layout({ stages, tensorParallel: 1, schedule: "1f1b" });
  const { stdout, stderr, exitCode } = await runApart(files, ["plan", "job.yaml", "--json"]);
  assert.equal(exitCode, 0, stderr);
  const { best, fixed } = JSON.parse(stdout) as PlanDocument;
  const last = best.stages.at(-1);
  assert.deepEqual([last?.layers, last?.hasHead], [null, true]);
  assert.equal(fixed?.stages, "[11,11,10,0]");
});

test("a plan whose schedule cannot run with its micro-batches is refused when exported", async () => {
  const files = layout({ schedule: "dualpipev", pipelineParallel: 4, tensorParallel: 1 });
  const planned = await runApart(files, ["plan", "job.yaml", "--json"]);
  assert.equal(planned.exitCode, 0, planned.stderr);
  const plan = JSON.parse(planned.stdout) as PlanDocument;
  plan.best.layout.numMicroBatches = 1;
  plan.batch.globalBatchSize = plan.best.layout.microBatchSize * plan.best.layout.dataParallel;
  for (const format of ["html", "json"]) {
    const damaged = { "plan.json": JSON.stringify(plan) };
    const { stderr, exitCode } = await runApart(damaged, ["export", "plan.json", "--to", format]);
    assert.match(
      stderr,
      /^plan\.json: best\.layout\.schedule: must be one that can run: DualPipeV needs .*; give .*\n$/,
    );
    assert.equal(exitCode, 2);
  }
});

test("a closed output ends in silence, a full one in one line, a slow one gets all", async () => {
  const place = new Workplace();
  try {
    place.write("job.yaml", job()["job.yaml"] as string);
    const shell = (line: string) =>
      new Promise<{ stdout: string; stderr: string }>((resolve) => {
        const args = ["-c", line, process.execPath, LAUNCHER];
        const options = { cwd: place.directory, maxBuffer: 1e8 };
        execFile("/bin/sh", args, options, (_, stdout, stderr) => resolve({ stdout, stderr }));
      });
    const told = (command: string) => `{ "$0" "$1" ${command}; echo "exit code $?" >&2; }`;
    const closed = await shell(`${told("plan job.yaml --json")} | head -c 1`);
    assert.deepEqual(closed, { stdout: "{", stderr: "exit code 0\n" });
    const full = /^standard output: ENOSPC.*; free space, or write elsewhere\nexit code 4\n$/;
    for (const command of ["plan job.yaml", "export job.yaml --to json"]) {
      assert.match((await shell(`${told(command)} > /dev/full`)).stderr, full);
    }
    const { stdout } = await shell(`"$0" "$1" plan job.yaml --json | { sleep 5; cat; }`);
    // More than a pipe holds.
    assert.ok(stdout.length > 100_000);
    JSON.parse(stdout);
  } finally {
    await place.remove();
  }
});

/** Runs in a folder of its own, as cases run side by side. */
async function runApart(files: Record<string, string>, args: readonly string[]) {
  const apart = new Workplace();
  for (const [name, text] of Object.entries(files)) apart.write(name, text);
  try {
    return await apart.run(args);
  } finally {
    await apart.remove();
  }
}
