import assert from "node:assert/strict";
import { test } from "node:test";
import { SizesOfJobs } from "./queued-run.ts";

test("runs of equal jobs share plans, of the jobs that were used last", () => {
  const sizes = new SizesOfJobs(undefined, 2);
  const [a, b] = [sizes.of({ name: "a" }), sizes.of({ name: "b" })];
  assert.equal(sizes.of({ name: "a" }), a);
  sizes.of({ name: "c" });
  assert.equal(sizes.of({ name: "a" }), a);
  assert.notEqual(sizes.of({ name: "b" }), b);
});
