import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import { tinyJob, tinyTraining, Workplace } from "./moestro.ts";

const EXAMPLE = fileURLToPath(new URL("../../examples/interleaved.yaml", import.meta.url));

const place = new Workplace();
after(() => place.remove());

/** A job of this machine on two pipeline ranks of one rank each. */
const layout = (layout: object, training: object = {}, cluster: object = {}) =>
  tinyJob({
    layout: { pipelineParallel: 2, ...layout },
    training: { ...tinyTraining(4), ...training },
    cluster: { ranks: 2, device: "cpu", ...cluster },
  });

const REFUSED: [what: string, job: string, code: 2 | 3, told: RegExp][] = [
  [
    "interleaving with one chunk",
    layout({ schedule: "interleaved", virtualPipeline: 1 }),
    2,
    /layout\.virtualPipeline: 1 leaves stages whole, .* use 2 or more, or schedule 1f1b\n$/,
  ],
  [
    "DualPipeV with too few micro-batches",
    tinyJob({
      ...{ layout: { pipelineParallel: 2, schedule: "dualpipev" }, cluster: { ranks: 2 } },
      model: { layers: 4, hiddenSize: 32, heads: 2, ffnHiddenSize: 32, vocabSize: 256 },
      training: { ...tinyTraining(4), microBatchSize: 2 },
    }),
    2,
    /layout\.schedule: dualpipev needs 4 micro-batches .* makes 2; use .*\n$/,
  ],
  [
    "selective recompute under zero-bubble",
    layout({ schedule: "zero-bubble", recompute: "selective" }),
    2,
    /layout\.recompute: PyTorch cannot run the zero-bubble schedule with selective .*; use .*\n$/,
  ],
  [
    "FSDP under zero-bubble",
    layout({ schedule: "zero-bubble" }, { optimizerSharding: "fsdp" }),
    2,
    /training\.optimizerSharding: fsdp does not run under schedule zero-bubble.*; use .*\n$/,
  ],
  [
    "stages of another number than the chunks",
    layout({ virtualPipeline: 2, stages: [1, 1, 1] }),
    2,
    /layout\.stages: \[1,1,1\] is 3 stages, but .* × 2 chunks is 4; give 4 entries or .*\n$/,
  ],
  [
    "experts that do not fold onto a stage",
    layout({ scheme: "folded", expertParallel: 4 }, {}, { ranks: 4 }),
    2,
    /layout: expertParallel 4 does not divide the 2 ranks of a stage .*; use .*\n$/,
  ],
  [
    "a precision of other machines",
    layout({}, { precision: "fp8" }),
    2,
    /training\.precision: fp8, where the engine runs fp32 or bf16: .*\n$/,
  ],
  [
    "less memory than a process has",
    layout({}, {}, { memoryLimit: 0.1 }),
    3,
    /cluster\.memoryLimit: 0\.1 GB is .* too little for the closest layout .*; use .* GB or more, .*\n$/,
  ],
];

test("what cannot be had together is refused in one line, before anything starts", async (t) => {
  for (const [what, job, code, told] of REFUSED) {
    await t.test(`${what}: exit code ${code}`, async () => {
      place.write("bad.yaml", job);
      const { stderr, stdout, exitCode } = await place.run(["train", "bad.yaml", "--json"]);
      assert.match(stderr, told);
      assert.match(stderr, /^bad\.yaml:\d+:\d+: /);
      assert.deepEqual([exitCode, stdout, stderr.split("\n").length], [code, "", 2]);
    });
  }
});

test("the example plans as it is: chunks, folded experts, recompute within its memory", async () => {
  copyFileSync(EXAMPLE, place.path("example.yaml"));
  const { stdout, stderr, exitCode } = await place.run(["plan", "example.yaml", "--json"]);
  assert.equal(exitCode, 0, stderr);
  const { engine } = JSON.parse(stdout);
  assert.equal(engine.layout.scheme, "SCHEME_FOLDED");
  assert.equal(engine.schedule, "SCHEDULE_INTERLEAVED");
  assert.deepEqual(ranksOf(engine), [0, 1, 0, 1]);
  const kinds: string[] = engine.stages.flatMap(
    (stage: { recompute: string[] }) => stage.recompute,
  );
  assert.ok(kinds.some((kind) => kind !== "RECOMPUTE_NONE"));
  for (const bytes of engine.prediction.memoryBytes) assert.ok(bytes <= 0.57e9);
});

test("the example trains, and its report tells of every chunk", async () => {
  const job = parse(readFileSync(EXAMPLE, "utf8"));
  const training = { ...job.training, steps: 4, warmupSteps: 1, timelineEverySteps: 2 };
  const short = { ...job, training: { ...training, sampleBytes: 0, validationBatches: 1 } };
  place.write("short.yaml", stringify({ ...short, data: { path: "texts" } }));
  const args = ["train", "short.yaml", "--json", "--run-id", "example"];
  const { stderr, exitCode } = await place.run(args);
  assert.equal(exitCode, 0, stderr);
  const plan = JSON.parse(readFileSync(place.path("runs", "example", "plan.json"), "utf8"));
  assert.deepEqual(ranksOf(plan), [0, 1, 0, 1]);
  const last = place.metrics("example").at(-1);
  assert.deepEqual(
    last?.stages.map(({ stage }) => stage),
    [0, 1, 2, 3],
  );
  assert.ok(last?.stages.every(({ computeMs }) => computeMs > 0));
  const report = readFileSync(place.path("runs", "example", "report.html"), "utf8");
  assert.match(report, /Stage 2 on rank 0/);
  await place.nothingLeft(2000);
});

function ranksOf(plan: { stages: { pipelineRank?: number }[] }): number[] {
  return plan.stages.map(({ pipelineRank = 0 }) => pipelineRank);
}
