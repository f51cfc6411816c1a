import assert from "node:assert/strict";
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
