import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { exportCommand } from "../../cli/export.ts";
import { MoestroError } from "../../errors.ts";
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
    assert.throws(() => exportPlan(plan, undefined, format), /export from the job file/);
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
          async () => ({ document: plan, timeline: chartOfPlan(plan.best) }),
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
  const command = exportCommand(() => assert.fail("no job was given"));
  await assert.rejects(
    command.parseAsync(["nowhere/plan.json", "--to", "json"], { from: "user" }),
    /^MoestroError: nowhere\/plan\.json: does not exist; give a file to read$/,
  );
});
