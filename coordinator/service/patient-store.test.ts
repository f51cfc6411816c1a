import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { currentHolder } from "../store/holder.ts";
import { RedisFixture } from "../store/redis-fixture.ts";
import { openRedisStore } from "../store/redis-store.ts";
import { NEW_LIFE } from "../store/run-record.ts";
import type { Store } from "../store/store.ts";
import { patientStore } from "./patient-store.ts";

const LONG_MS = 600_000;
let redis: RedisFixture;
let store: Store;

before(async () => {
  redis = await RedisFixture.start();
  ({ store } = await openRedisStore(redis.url));
});
after(async () => {
  await store.close();
  await redis.remove();
});

test("a life is written once the store is there again, under the same lease", async () => {
  const spec = { name: "r", owner: "", priority: 0, submittedAtMs: 1, job: null, maxRestarts: 1 };
  await store.create("r", spec, { phase: "run", minRanks: 1, maxRanks: 1, checkpoints: 0 });
  const held = await store.acquire("leader", currentHolder(), LONG_MS);
  const patient = patientStore(store, () => false);
  await redis.kill();
  const written = patient.setLife("r", held, { ...NEW_LIFE, state: "starting", reason: "late" });
  await sleep(200);
  await redis.start();
  await written;
  assert.equal((await store.get("r"))?.life.reason, "late");
});

test("one who leads no more is not kept waiting", async () => {
  const held = { lease: "leader", epoch: 1 };
  await redis.kill();
  const patient = patientStore(store, () => true);
  await assert.rejects(patient.nextGeneration("r", held), { code: "environment" });
  await redis.start();
});

test("a refusal is final", async () => {
  const patient = patientStore(store, () => false);
  await assert.rejects(patient.nextGeneration("r", { lease: "leader", epoch: 1 }), {
    code: "in_use",
  });
});
