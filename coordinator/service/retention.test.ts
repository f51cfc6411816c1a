import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { currentHolder } from "../store/holder.ts";
import { NEW_LIFE } from "../store/run-record.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import { keepEndedRuns } from "./retention.ts";

test("while a coordinator leads, the store forgets the runs that ended long ago", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "moestro-retention-"));
  const store = openSqliteStore(join(folder, "moestro.db"));
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const held = await store.acquire("leader", currentHolder(), 60_000);
  const end = async (runId: string) => {
    const spec = { name: runId, owner: "", priority: 0, submittedAtMs: 0, job: {}, maxRestarts: 0 };
    await store.create(runId, spec, { phase: "run", minRanks: 1, maxRanks: 1, checkpoints: 0 });
    await store.setLife(runId, held, { ...NEW_LIFE, state: "stopped" });
  };
  const told: number[] = [];
  const dropped = (numRuns: number) => void told.push(numRuns);
  for (const runId of ["a", "b", "c"]) await end(runId);
  const stop = keepEndedRuns({ store, held, keepEnded: 2, dropped, everyMs: 10 });
  while ((await store.get("a")) !== undefined) await sleep(5);
  await end("d");
  while ((await store.get("b")) !== undefined) await sleep(5);
  stop();
  assert.deepEqual(told, [1, 1]);
  assert.deepEqual(
    (await store.ended(10)).map(({ runId }) => runId),
    ["d", "c"],
  );
});
