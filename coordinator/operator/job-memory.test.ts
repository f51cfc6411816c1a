import assert from "node:assert/strict";
import { it } from "node:test";
import { JobMemory } from "./job-memory.ts";
import { jobWith } from "./reconcile/job-fixture.ts";

const job = jobWith();
const child = { kind: "Job", metadata: { name: "tiny-agents" } };

it("a child that was made is waited for until it is seen, or long enough", () => {
  const memory = new JobMemory("0f9c");
  assert.equal(memory.isAhead(job, [], 0), false);
  memory.hasMade(child, 0);
  assert.equal(memory.isAhead(job, [], 1_000), true);
  assert.equal(memory.isAhead(job, [child], 1_000), false);
  memory.hasMade(child, 2_000);
  assert.equal(memory.isAhead(job, [], 7_000), false);
});

it("a status that was written is waited for, also where it was no change", () => {
  const memory = new JobMemory("0f9c");
  memory.hasWrittenStatus(job, 0);
  assert.equal(memory.isAhead(job, [], 1_000), true);
  const metadata = { ...job.metadata, resourceVersion: "2" };
  assert.equal(memory.isAhead({ ...job, metadata }, [], 1_000), false);
  assert.equal(memory.isAhead(job, [], 5_000), false);
});
