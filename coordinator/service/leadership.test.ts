import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { currentHolder } from "../store/holder.ts";
import { RedisFixture } from "../store/redis-fixture.ts";
import { openRedisStore } from "../store/redis-store.ts";
import { Leadership } from "./leadership.ts";

const PATIENCE_MS = 30_000;
let redis: RedisFixture;
const undo: (() => Promise<void>)[] = [];

before(async () => {
  redis = await RedisFixture.start();
});
after(() => redis.remove());
afterEach(async () => {
  for (const one of undo.splice(0).reverse()) await one();
});

async function candidate(address: string, prefix: string) {
  const { store } = await openRedisStore(redis.url, { prefix });
  const told: string[] = [];
  const leadership = new Leadership({
    ...{ store, address, holder: currentHolder() },
    gained: async (held) => void told.push(`gained ${held.epoch}`),
    lost: (reason) => told.push(`lost: ${reason}`),
    storeEmptied: async () => void told.push("emptied"),
    storeReachable: (reachable) => told.push(reachable ? "reachable" : "out of reach"),
  });
  leadership.start();
  undo.push(async () => {
    await leadership.stop();
    await store.close();
  });
  return { leadership, told };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never came: ${what}`);
    await sleep(20);
  }
}

function epochOf({ held }: Leadership): number {
  return held?.epoch ?? 0;
}

test("of two coordinators one leads, and the other knows where", async () => {
  const first = await candidate("a:1", "two:");
  await until("a leads", () => first.leadership.held !== undefined);
  const second = await candidate("b:2", "two:");
  await until("b knows of a", () => second.leadership.leader === "a:1");
  assert.equal(second.leadership.held, undefined);
  const epoch = epochOf(first.leadership);
  await first.leadership.stop();
  await until("b leads", () => second.leadership.held !== undefined);
  assert.ok(epochOf(second.leadership) > epoch);
  assert.equal(second.leadership.leader, "b:2");
});

test("a store that comes back empty is noticed, however quick it was", async () => {
  const { leadership, told } = await candidate("a:1", "emptied:");
  await until("it leads", () => leadership.held !== undefined);
  const held = leadership.held;
  await redis.command("FLUSHALL");
  await until("it notices", () => told.includes("emptied"));
  assert.deepEqual(leadership.held, held);
  assert.equal(leadership.leader, "a:1");
});

test("while the store is away nobody leads, and afterwards the same one does, under its epoch", async () => {
  const { leadership, told } = await candidate("a:1", "away:");
  await until("it leads", () => leadership.held !== undefined);
  const { held } = leadership;
  assert.ok(held);
  redis.signal("SIGSTOP");
  try {
    const isTold = () => told.includes("out of reach");
    await until("its lease is uncertain", () => leadership.held === undefined && isTold());
  } finally {
    redis.signal("SIGCONT");
  }
  await until("it leads again", () => leadership.held !== undefined);
  assert.deepEqual(leadership.held, held);
  assert.deepEqual(told, [`gained ${held.epoch}`, "out of reach", "reachable"]);
});

test("one who hears of a later epoch that nobody has leads on", async () => {
  const { leadership, told } = await candidate("a:1", "later:");
  await until("it leads", () => leadership.held !== undefined);
  const { held } = leadership;
  for (let times = 0; times < 10; times += 1) leadership.overtaken();
  await sleep(200);
  assert.deepEqual(leadership.held, held);
  assert.deepEqual(told, [`gained ${held?.epoch}`]);
});

test("one who hears of a later epoch that another has leads no more", async () => {
  const { leadership, told } = await candidate("a:1", "taken:");
  await until("it leads", () => leadership.held !== undefined);
  const { held } = leadership;
  assert.ok(held);
  const { store } = await openRedisStore(redis.url, { prefix: "taken:" });
  undo.push(() => store.close());
  await store.release(held);
  await store.acquire(held.lease, currentHolder(), PATIENCE_MS);
  leadership.overtaken();
  await until("it knows", () => leadership.held === undefined);
  assert.match(told.at(-1) ?? "", /lost: its lease went to another coordinator/);
});
