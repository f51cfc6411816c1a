import assert from "node:assert/strict";
import { test } from "node:test";
import { runFuzz } from "./run-fuzz.ts";

test("a coordinator under malformed traffic lives, answers, keeps its memory, and refuses in one line", async () => {
  const seed = Number(process.env.MOESTRO_TEST_SEED ?? Date.now() % 1_000_000);
  const { faults, counts, health } = await runFuzz(10, seed);
  assert.deepEqual(faults, [], `seed ${seed}`);
  assert.ok(health.count > 0);
  assert.ok([...counts.values()].reduce((sum, count) => sum + count, 0) > 0);
});
