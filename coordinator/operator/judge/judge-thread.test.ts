import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { parse } from "yaml";
import { jobWith } from "../reconcile/job-fixture.ts";
import { JudgeThread } from "./judge-thread.ts";

const sample = (name: string) =>
  parse(readFileSync(new URL(`../../../k8s/samples/${name}.yaml`, import.meta.url), "utf8"));

it("a spec is planned in another thread, while this one goes on", async () => {
  const thread = new JudgeThread("/");
  let numTurns = 0;
  const turns = setInterval(() => {
    numTurns += 1;
  }, 10);
  try {
    const big = await thread.judge(sample("mixtral-8x7b-h100"));
    assert.equal(big.kind, "planned");
    assert.ok(numTurns > 10);
    const bad = await thread.judge(jobWith({ layout: { tensorParallel: 3 } }));
    assert.match(
      bad.kind === "refused" ? bad.lines.join() : "",
      /tensorParallel: 3 does not divide/,
    );
  } finally {
    clearInterval(turns);
    thread.close();
  }
});

it("what is asked when it ends is refused, and one that broke is made again", async () => {
  const thread = new JudgeThread("/");
  const refused = assert.rejects(thread.judge(sample("quickstart")), /the operator ends/);
  thread.close();
  await refused;
  assert.equal((await thread.judge(sample("quickstart"))).kind, "planned");
  thread.close();
});
