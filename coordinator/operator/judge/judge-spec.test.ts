import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { MoestroError } from "../../errors.ts";
import { fixtureSpec } from "../../kubernetes/crd/spec-fixture.ts";
import { jobWith } from "../reconcile/job-fixture.ts";
import { judgeSpec } from "./judge-spec.ts";

const plan = async () => "{}";

it("a spec is taken with its defaults, and with the job that is submitted for it", async () => {
  const verdict = await judgeSpec(jobWith(), "/", plan);
  assert.ok(verdict.kind === "planned");
  assert.deepEqual([verdict.spec.maxRestarts, verdict.spec.suspend], [10, false]);
  assert.equal(JSON.parse(verdict.jobJson).name, "tiny");
});

it("a spec that the rules of job files refuse is refused in their words", async () => {
  const layout = { scheme: "edp", tensorParallel: 3 };
  const verdict = await judgeSpec(jobWith({ layout }), "/", plan);
  assert.ok(verdict.kind === "refused");
  assert.match(verdict.lines.join("\n"), /^spec\.layout\.tensorParallel: 3 does not divide/m);
});

it("a plan that cannot be is refused in the spec's terms; trouble of the machine is thrown", async () => {
  const failing = (code: "no_plan" | "environment") => async () => {
    throw new MoestroError(code, "cluster.ranks: no layout fits 4 ranks; use 8");
  };
  const job = { ...jobWith(), spec: fixtureSpec() };
  const verdict = await judgeSpec(job, "/", failing("no_plan"));
  const lines = ["spec.nodes.max: no layout fits 4 ranks; use 8"];
  assert.deepEqual(verdict, { kind: "refused", code: "no_plan", lines });
  await assert.rejects(judgeSpec(job, "/", failing("environment")), { code: "environment" });
});

it("a spec reads no file beyond the runs, waits for none, and has none's content told", async () => {
  const folder = mkdtempSync(join(tmpdir(), "moestro-judge-"));
  try {
    const runs = join(folder, "runs");
    mkdirSync(join(runs, "checkpoint"), { recursive: true });
    writeFileSync(join(folder, "secret"), "the key");
    writeFileSync(join(runs, "own.json"), "the content");
    symlinkSync(join(folder, "secret"), join(runs, "link.json"));
    for (const pipe of ["pipe.json", "checkpoint/manifest.json"]) {
      execFileSync("mkfifo", [join(runs, pipe)]);
    }
    const refused = async (model: object) => {
      const verdict = await judgeSpec(jobWith({ model, moe: undefined }), runs, plan);
      return verdict.kind === "refused" ? verdict.lines.join("\n") : verdict.kind;
    };
    const outside = /is outside of .*runs, where files of jobs are; put it there$/;
    assert.match(await refused({ config: "../secret" }), outside);
    assert.match(await refused({ config: join(folder, "secret") }), outside);
    assert.match(await refused({ config: "link.json" }), outside);
    assert.match(await refused({ weights: ".." }), outside);
    assert.match(await refused({ config: "pipe.json" }), /pipe\.json: is a pipe or a device/);
    assert.match(await refused({ weights: "checkpoint" }), /its manifest\.json is no regular file/);
    const told = await refused({ config: "own.json" });
    assert.match(told, /own\.json: is not valid JSON; correct it$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
