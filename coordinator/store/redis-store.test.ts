import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../test/faults/patience.ts";
import { MoestroError } from "../errors.ts";
import { conformance } from "./conformance.ts";
import { currentHolder } from "./holder.ts";
import { RedisFixture } from "./redis-fixture.ts";
import { openRedisStore } from "./redis-store.ts";
import { NEW_LIFE } from "./run-record.ts";
import type { RunSpec, RunWish, Store } from "./store.ts";

const LONG_MS = 600_000;
const SPEC: RunSpec = {
  ...{ name: "r", owner: "", priority: 0, submittedAtMs: 1, job: null, maxRestarts: 1 },
};
const WISH: RunWish = { phase: "run", minRanks: 1, maxRanks: 1, checkpoints: 0 };

let redis: RedisFixture;
let count = 0;
before(async () => {
  redis = await RedisFixture.start();
});
after(() => redis.remove());

function newPrefix(): string {
  return `test-${++count}:`;
}

const open: Store[] = [];
afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
});

async function openStore(prefix: string): Promise<Store> {
  const { store } = await openRedisStore(redis.url, { prefix });
  open.push(store);
  return store;
}

conformance("Redis", async () => {
  const prefix = newPrefix();
  return {
    open: () => openStore(prefix),
    mortal: currentHolder(),
    lapse: () => sleep(60),
    crash: async () => {
      await redis.kill();
      await redis.start();
    },
  };
});

test("a lease that is renewed in time is never another's", async () => {
  const prefix = newPrefix();
  const [store, other] = [await openStore(prefix), await openStore(prefix)];
  const held = await store.acquire("leader", currentHolder(), 300);
  for (let time = 0; time < 8; time += 1) {
    await sleep(80);
    assert.ok(await store.renew(held, 300));
    await assert.rejects(other.acquire("leader", currentHolder(), 300), isInUse);
  }
});

test("the server's clock set back an hour keeps a lease no longer than its time", async () => {
  const prefix = newPrefix();
  const store = await openStore(prefix);
  await store.acquire("leader", currentHolder(), 50);
  const ahead = Date.now() + 3_600_000;
  await redis.command("HSET", `${prefix}lease:leader`, "until", ahead);
  await assert.rejects(store.acquire("leader", currentHolder(), 50), isInUse);
  await sleep(80);
  assert.ok(await store.acquire("leader", currentHolder(), 50));
});

test("when Redis comes back empty the leader goes on under its epoch and puts its runs back", async () => {
  const prefix = newPrefix();
  const [leader, standby] = [await openStore(prefix), await openStore(prefix)];
  const held = await leader.acquire("leader", currentHolder(), LONG_MS);
  await leader.create("r", SPEC, WISH);
  const run = { runId: "r", spec: SPEC, wish: WISH, life: NEW_LIFE, generation: 3 };
  await assert.rejects(standby.acquire("leader", currentHolder(), LONG_MS), isInUse);
  await redis.command("FLUSHALL");
  // The one that remembers nothing lets the other go first.
  await assert.rejects(standby.acquire("leader", currentHolder(), LONG_MS), isInUse);
  await assert.rejects(leader.setLife("r", held, NEW_LIFE), isEnvironment);
  assert.equal(await leader.renew(held, LONG_MS), true);
  assert.equal(await leader.restore(run, held), true);
  assert.equal(await leader.nextGeneration("r", held), 4);
  await assert.rejects(standby.acquire("leader", currentHolder(), LONG_MS), isInUse);
});

test("when Redis comes back empty and the leader is gone, a higher epoch takes over", async () => {
  const prefix = newPrefix();
  const store = await openStore(prefix);
  const { epoch } = await store.acquire("leader", currentHolder(), LONG_MS);
  await redis.command("FLUSHALL");
  await sleep(1000);
  await assert.rejects(store.acquire("leader", currentHolder(), 50), isInUse);
  await sleep(80);
  assert.ok((await store.acquire("leader", currentHolder(), 50)).epoch > epoch);
});

test("a Redis that stands still fails each command in a moment, and serves on after it", async () => {
  const store = await openStore(newPrefix());
  redis.signal("SIGSTOP");
  try {
    await assert.rejects(Promise.all([store.active(), store.drained()]), isEnvironment);
  } finally {
    redis.signal("SIGCONT");
  }
  assert.deepEqual(await store.active(), []);
});

test("after Redis stood still, who stood by does not take over from a living leader", async () => {
  const prefix = newPrefix();
  const [leader, standby] = [await openStore(prefix), await openStore(prefix)];
  const held = await leader.acquire("leader", currentHolder(), 1000);
  const ask = () => standby.acquire("leader", currentHolder(), 1000);
  await assert.rejects(ask(), isInUse);
  redis.signal("SIGSTOP");
  try {
    // Sent, given up, and read by Redis long after.
    await assert.rejects(ask(), isEnvironment);
    await sleep(1000);
  } finally {
    redis.signal("SIGCONT");
  }
  await assert.rejects(ask(), isInUse);
  assert.ok(await leader.renew(held, LONG_MS));
  await assert.rejects(ask(), isInUse);
});

test("after Redis stood still, a leader that is gone is replaced", async () => {
  const prefix = newPrefix();
  const [leader, standby] = [await openStore(prefix), await openStore(prefix)];
  const { epoch } = await leader.acquire("leader", currentHolder(), 50);
  const ask = () => standby.acquire("leader", currentHolder(), 50);
  await assert.rejects(ask(), isInUse);
  redis.signal("SIGSTOP");
  try {
    await assert.rejects(ask(), isEnvironment);
    await sleep(1000);
  } finally {
    redis.signal("SIGCONT");
  }
  await assert.rejects(ask(), isInUse);
  await sleep(80);
  assert.ok((await ask()).epoch > epoch);
});

test("a clock that jumps an hour keeps nobody from a free lease", async (context) => {
  const store = await openStore(newPrefix());
  for (const jumpMs of [3_600_000, -7_200_000]) {
    await store.release(await store.acquire("leader", currentHolder(), LONG_MS));
    const now = performance.now.bind(performance);
    context.mock.method(performance, "now", () => now() + jumpMs);
    const held = await store.acquire("leader", currentHolder(), LONG_MS);
    await store.release(held);
  }
});

test("a command while Redis restarts waits for it, and is done once", async () => {
  const store = await openStore(newPrefix());
  const held = await store.acquire("leader", currentHolder(), LONG_MS);
  await store.create("r", SPEC, WISH);
  await redis.kill();
  // Until the store has noticed: what was sent before may have been done or not.
  await sleep(100);
  const generation = store.nextGeneration("r", held);
  await redis.start();
  assert.equal(await generation, 1);
});

test("a Redis that cannot be reached is told in one line, without the password", async () => {
  await assert.rejects(openRedisStore("redis://ada:s3cret@127.0.0.1:1"), (error) => {
    assert.ok(isEnvironment(error));
    const { message } = error as Error;
    assert.match(message, /^Redis at 127\.0\.0\.1:1: .*ECONNREFUSED/);
    assert.doesNotMatch(message, /s3cret/);
    return true;
  });
});

test("a Redis that may evict runs is refused with the remedy", async () => {
  await redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
  try {
    await assert.rejects(
      openRedisStore(redis.url),
      /may forget runs .*CONFIG SET maxmemory-policy noeviction$/,
    );
  } finally {
    await redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction");
  }
});

test("a Redis without an append-only file is warned of", async () => {
  const loose = await RedisFixture.start();
  try {
    await loose.command("CONFIG", "SET", "appendonly", "no");
    const { store, warnings } = await openRedisStore(loose.url);
    await store.close();
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /keeps no append-only file/);
  } finally {
    await loose.remove();
  }
});

test("whatever was acknowledged before Redis was killed amid submissions is there", async () => {
  const prefix = newPrefix();
  const store = await openStore(prefix);
  const acknowledged: string[] = [];
  const submit = async (worker: number) => {
    for (let index = 0; ; index += 1) {
      const runId = `run-${worker}-${index}`;
      await store.create(runId, SPEC, WISH);
      acknowledged.push(runId);
    }
  };
  const workers = Array.from({ length: 20 }, (_, worker) => submit(worker).catch(() => {}));
  while (acknowledged.length < 500) await sleep(1);
  await redis.kill();
  await Promise.all(workers);
  await redis.start();
  // A client that was cut off comes back in its own time, as for a coordinator.
  const active = await until("the store is back", () =>
    store.active().catch((error) => {
      if (!isEnvironment(error)) throw error;
      return undefined;
    }),
  );
  const kept = new Set(active.map(({ runId }) => runId));
  assert.deepEqual(
    acknowledged.filter((runId) => !kept.has(runId)),
    [],
  );
});

function isInUse(error: unknown): boolean {
  return error instanceof MoestroError && error.code === "in_use";
}

function isEnvironment(error: unknown): boolean {
  return error instanceof MoestroError && error.code === "environment" && error.lines.length === 1;
}
