import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { MoestroError } from "../../errors.ts";
import { makePlan, type PlanWish } from "./fixture.ts";
import { exportTorchtitan, exportTorchtitan02 } from "./torchtitan.ts";
import { moduleNames } from "./torchtitan-modules.ts";

const DIALECTS = [
  { name: "0.2", exported: exportTorchtitan02, head: "output" },
  { name: "current", exported: exportTorchtitan, head: "lm_head" },
] as const;

/** The list of lists of module names in an export. */
function modulesIn(text: string): string[][] {
  const rows = text.match(/^ *\[("[^\]]*")\],$/gm) ?? [];
  return rows.map((row) => JSON.parse(row.trim().replace(/,$/, "")) as string[]);
}

test("module lists name every module of the model once, in order, in both dialects", () => {
  const split = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 12 });
  fc.assert(
    fc.property(split, (layers) => {
      const total = layers.reduce((sum, n) => sum + n, 0);
      for (const { exported, head } of DIALECTS) {
        const modules = modulesIn(exported(makePlan({ layers })).text);
        assert.equal(modules.length, layers.length);
        assert.deepEqual(modules.flat(), [
          "tok_embeddings",
          ...Array.from({ length: total }, (_, i) => `layers.${i}`),
          "norm",
          head,
        ]);
      }
    }),
  );
});

test("DualPipeV's second chunks are listed where the model has them", () => {
  const plan = makePlan({ layers: [1, 2, 3, 4] });
  const [a, b, c, d] = plan.best.stages;
  assert.ok(a && b && c && d);
  // Rank 1 holds the middle of the V, rank 0 its ends: chunk · PP + rank walks back.
  const shuffled = [a, b, { ...d, stage: 2 }, { ...c, stage: 3 }];
  assert.deepEqual(moduleNames(shuffled, "output"), moduleNames(plan.best.stages, "output"));
});

test("v0.2.2 gets sections of TOML with its options", () => {
  const { text, notes } = exportTorchtitan02(
    makePlan({ layers: [3, 5], layout: { optimizerSharding: "fsdp" } }),
  );
  for (const line of [
    "[training]",
    "seq_len = 4096",
    "local_batch_size = 16",
    "global_batch_size = 128",
    "[parallelism]",
    "data_parallel_shard_degree = 8",
    'fsdp_reshard_after_forward = "always"',
    "tensor_parallel_degree = 2",
    "pipeline_parallel_degree = 2",
    'pipeline_parallel_schedule = "1F1B"',
    "pipeline_parallel_microbatch_size = 1",
    "expert_parallel_degree = 16",
    "expert_tensor_parallel_degree = 1",
    "[activation_checkpoint]",
    'mode = "none"',
  ]) {
    assert.ok(text.split("\n").includes(line), line);
  }
  assert.deepEqual(notes, []);
});

test("the present dialect gets a Python function with its options", () => {
  const { text } = exportTorchtitan(
    makePlan({
      layers: [3, 5, 4, 4],
      layout: { pipelineParallel: 2, virtualPipeline: 2, schedule: "interleaved" },
      recompute: [3, 5, 4, 4].map((n) => Array(n).fill("full")),
    }),
  );
  for (const line of [
    "def apply_plan(config: Trainer.Config) -> Trainer.Config:",
    "    config.training.num_tokens_per_microbatch_per_dp_rank = 4096",
    "    config.training.num_tokens_per_train_step = 524288",
    '        pipeline_parallel_schedule="Interleaved1F1B",',
    "        num_pp_microbatches=16,",
    "        expert_parallel_degree=16,",
    "    config.activation_checkpoint = FullAC.Config()",
  ]) {
    assert.ok(text.split("\n").includes(line), line);
  }
  assert.doesNotMatch(text, /expert_tensor/);
});

test("without a pipeline there are no stages, and gradients accumulate over the batch", () => {
  const { text } = exportTorchtitan02(makePlan({ layers: [8] }));
  assert.doesNotMatch(text, /module_fqns|pipeline_parallel_schedule/);
  assert.match(text, /^local_batch_size = 1$/m);
});

test("recompute by layer, capacity and ZeRO-1 come out as the nearest setting, with a remark", () => {
  for (const { exported } of DIALECTS) {
    const { text, notes } = exported(
      makePlan({ layers: [1, 1], recompute: [["full"], ["none"]], capacityFactor: 1.5 }),
    );
    assert.equal(notes.length, 3);
    for (const note of notes) assert.ok(text.includes(`# ${note}`));
    assert.match(text, /full/i);
  }
});

const REFUSED: { wish: PlanWish; dialects: string[]; why: RegExp }[] = [
  { wish: { layers: [2, 2], mtpLayers: 1 }, dialects: ["0.2", "current"], why: /multi-token/ },
  { wish: { layers: [4], mtpLayers: 1 }, dialects: ["0.2"], why: /multi-token/ },
  { wish: { layers: [2, 0, 2] }, dialects: ["0.2", "current"], why: /stage 1 is empty/ },
  {
    wish: {
      layers: [4],
      layout: { tensorParallel: 4, expertTensorParallel: 2, expertParallel: 2 },
    },
    dialects: ["0.2", "current"],
    why: /expertTensorParallel/,
  },
  {
    wish: { layers: [4], layout: { expertTensorParallel: 2, expertParallel: 8 } },
    dialects: ["current"],
    why: /no longer splits experts/,
  },
  {
    wish: { layers: [2, 2, 2], layout: { numMicroBatches: 2 } },
    dialects: ["0.2", "current"],
    why: /1F1B needs at least 3 micro-batches, not 2/,
  },
  {
    wish: {
      layers: [2, 2, 2, 2, 2, 2],
      layout: {
        pipelineParallel: 3,
        virtualPipeline: 2,
        schedule: "interleaved",
        numMicroBatches: 7,
      },
    },
    dialects: ["0.2", "current"],
    why: /multiple of 2 micro-batches on 3 ranks, not 7/,
  },
];

test("what a dialect cannot say is refused in one line with a remedy", () => {
  for (const { wish, dialects, why } of REFUSED) {
    for (const { name, exported } of DIALECTS) {
      if (!dialects.includes(name)) exported(makePlan(wish));
      else
        assert.throws(
          () => exported(makePlan(wish)),
          (error) =>
            error instanceof MoestroError &&
            error.exitCode === 2 &&
            error.lines.length === 1 &&
            why.test(error.message),
        );
    }
  }
});

test("a capacity factor is noted of experts alone", () => {
  const plan = makePlan({ layers: [3, 5], capacityFactor: 1.25 });
  assert.match(exportTorchtitan(plan).notes.join("\n"), /capacity factor 1\.25: torchtitan drops/);
  plan.model.experts = 0;
  assert.doesNotMatch(exportTorchtitan(plan).notes.join("\n"), /capacity/);
});
