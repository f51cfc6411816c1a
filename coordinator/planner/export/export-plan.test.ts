import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { exportCommand } from "../../cli/export.ts";
import { MoestroError } from "../../errors.ts";
import type { PlanDocument, PlannedStage } from "../plan-document.ts";
import { chartOfPlan } from "../schedule/chart-of-plan.ts";
import { EXPORT_FORMATS, exportPlan } from "./export-plan.ts";
import { makePlan } from "./fixture.ts";
import { readPlanDocument } from "./read-plan-document.ts";

const plan = makePlan({ layers: [3, 4, 3] });

test("what is exported as JSON reads back as the same plan", () => {
  assert.deepEqual(readPlanDocument(exportPlan(plan, undefined, "json"), "plan.json"), plan);
});

test("a picture of a plan without a timeline is refused with a remedy", () => {
  for (const format of ["perfetto", "html"] as const) {
    assert.throws(
      () => exportPlan(plan, undefined, format),
      /too many micro-batches and stages to be drawn; export to /,
    );
  }
});

const WRONG: [string, RegExp][] = [
  ["", /^p\.json: is not JSON; give a job file/],
  ["[]", /^p\.json: Invalid input/],
  ["{}", /^p\.json: job: /],
  [JSON.stringify({ ...plan, best: { ...plan.best, stages: [] } }), /^p\.json: best\.stages: /],
  [
    JSON.stringify({ ...plan, best: { ...plan.best, stages: plan.best.stages.slice(1) } }),
    /stages must number/,
  ],
  [
    JSON.stringify({ ...plan, batch: { ...plan.batch, sequenceLength: -1 } }),
    /batch\.sequenceLength/,
  ],
];

test("a file that is no plan is refused in one line that names the field", () => {
  for (const [text, why] of WRONG) {
    assert.throws(
      () => readPlanDocument(text, "p.json"),
      (error) =>
        error instanceof MoestroError &&
        error.exitCode === 2 &&
        error.lines.length === 1 &&
        !error.message.includes("\n") &&
        why.test(error.message),
      text.slice(0, 40),
    );
  }
});

test("the command writes every format from a job file, and from a stored plan", async () => {
  const folder = await mkdtemp(join(tmpdir(), "moestro-export-"));
  try {
    await writeFile(join(folder, "plan.json"), JSON.stringify(plan));
    for (const source of ["plan.json", "job.yaml"]) {
      for (const format of EXPORT_FORMATS) {
        const out = join(folder, `${source}.${format}`);
        const command = exportCommand(
          async () => plan,
          ({ best }) => chartOfPlan(best),
        );
        await command.parseAsync([join(folder, source), "--to", format, "--out", out], {
          from: "user",
        });
        assert.equal(await readFile(out, "utf8"), exportPlan(plan, chartOfPlan(plan.best), format));
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a file that is not there is refused in one line", async () => {
  const command = exportCommand(
    () => assert.fail("no job was given"),
    () => assert.fail("there is nothing to draw"),
  );
  await assert.rejects(
    command.parseAsync(["nowhere/plan.json", "--to", "json"], { from: "user" }),
    /^MoestroError: nowhere\/plan\.json: does not exist; give a file to read$/,
  );
});

test("a job is planned for what the format's software can be told", async () => {
  const folder = await mkdtemp(join(tmpdir(), "moestro-export-"));
  try {
    const asked: string[] = [];
    for (const format of EXPORT_FORMATS) {
      const command = exportCommand(
        async (_, target) => {
          asked.push(`${format} for ${target}`);
          return plan;
        },
        ({ best }) => chartOfPlan(best),
      );
      const args = ["job.yaml", "--to", format, "--out", join(folder, format)];
      await command.parseAsync(args, { from: "user" });
    }
    assert.deepEqual(asked, [
      "megatron for megatron",
      "torchtitan for torchtitan",
      "torchtitan-0.2 for torchtitan",
      "json for any",
      "perfetto for any",
      "html for any",
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a stored plan is drawn only where a format shows it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "moestro-export-"));
  try {
    const path = join(folder, "plan.json");
    await writeFile(path, JSON.stringify(plan));
    for (const format of ["megatron", "torchtitan", "torchtitan-0.2", "json"]) {
      const command = exportCommand(
        () => assert.fail("no job was given"),
        () => assert.fail("there is nothing to draw"),
      );
      const args = [path, "--to", format, "--out", join(folder, format)];
      await command.parseAsync(args, { from: "user" });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

const DAMAGED: [what: string, change: (plan: PlanDocument) => void, why: RegExp][] = [
  [
    "a batch of another size",
    ({ batch }) => {
      batch.globalBatchSize += 1;
    },
    /best\.layout: must have microBatchSize × numMicroBatches × dataParallel = batch\.globalBatchSize/,
  ],
  [
    "experts on other ranks than a stage has",
    ({ best }) => {
      best.layout.expertParallel = 2;
    },
    /best\.layout: must have expertParallel × .* = tensorParallel × .*, which is 16/,
  ],
  [
    "a stage on another rank",
    ({ best }) => {
      (best.stages[0] as PlannedStage).pipelineRank = 1;
    },
    /best\.stages\[0\]\.pipelineRank: must be 0, where the schedule has this stage/,
  ],
  [
    "a certificate that is none",
    ({ best }) => {
      best.certificate.gap = 1;
    },
    /best\.certificate\.gap: 1 must be below 1/,
  ],
  [
    "memory of other ranks",
    ({ best }) => {
      best.predicted.memoryBytesPerStage.push(1);
    },
    /best\.predicted\.memoryBytesPerStage: must have one entry for each of pipelineParallel ranks/,
  ],
];

for (const [what, change, why] of DAMAGED) {
  test(`a stored plan with ${what} is refused by its field`, () => {
    const damaged = structuredClone(plan);
    change(damaged);
    assert.throws(() => readPlanDocument(JSON.stringify(damaged), "p.json"), why);
  });
}

test("a stored plan whose schedule cannot run with its sizes is refused", () => {
  const dual = makePlan({
    layers: [2, 2, 2, 2],
    layout: { schedule: "dualpipev", pipelineParallel: 2, virtualPipeline: 2, numMicroBatches: 4 },
  });
  dual.cluster.gpus = 32;
  const [, , third, last] = dual.best.stages as [
    PlannedStage,
    PlannedStage,
    PlannedStage,
    PlannedStage,
  ];
  [third.pipelineRank, last.pipelineRank] = [1, 0];
  dual.best.predicted.memoryBytesPerStage = [1, 1];
  assert.doesNotThrow(() => readPlanDocument(JSON.stringify(dual), "p.json"));
  dual.best.layout.numMicroBatches = 1;
  dual.batch.globalBatchSize = 8;
  assert.throws(
    () => readPlanDocument(JSON.stringify(dual), "p.json"),
    /best\.layout\.schedule: must be one that can run: DualPipeV needs 2 micro-batches a rank: at least 4, not 1/,
  );
});
