import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MoestroError } from "../errors.ts";
import { RedisFixture } from "../store/redis-fixture.ts";
import { LookQueue } from "./look-queue.ts";

const LOCK_MS = 500;
const MODULE = new URL("./look-queue.ts", import.meta.url).href;

let redis: RedisFixture;
let count = 0;
let prefix = "";
const open: LookQueue[] = [];
const lines: string[] = [];

before(async () => {
  redis = await RedisFixture.start();
});
after(() => redis.remove());
afterEach(async () => {
  for (const queue of open.splice(0)) await queue.close();
  lines.length = 0;
  prefix = "";
});

/** A coordinator's queue; all those of a test share their keys. */
async function coordinator(): Promise<LookQueue> {
  prefix ||= `test-${++count}:`;
  const report = (line: string) => lines.push(line);
  const queue = await LookQueue.open({ url: redis.url, prefix, report, lockMs: LOCK_MS });
  open.push(queue);
  return queue;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

test("a look asked for while nobody works is done by the next who does", async () => {
  const asking = await coordinator();
  await asking.look("r");
  await asking.close();
  const looked: string[] = [];
  (await coordinator()).start(async (runId) => void looked.push(runId));
  await until(() => looked.length > 0);
  assert.deepEqual(looked, ["r"]);
});

test("looks at one run that wait are one look, of other runs others", async () => {
  const queue = await coordinator();
  for (const runId of ["a", "b", "a", "a", "b"]) await queue.look(runId);
  const looked: string[] = [];
  queue.start(async (runId) => void looked.push(runId));
  await queue.look("last");
  await until(() => looked.includes("last"));
  assert.deepEqual(looked.sort(), ["a", "b", "last"]);
});

test("a look asked for during a look at the same run follows it, and never runs beside it", async () => {
  const [first, second] = [await coordinator(), await coordinator()];
  let [now, most, total] = [0, 0, 0];
  const handler = async () => {
    now += 1;
    most = Math.max(most, now);
    total += 1;
    if (total === 1) for (let i = 0; i < 5; i += 1) await first.look("r");
    await sleep(20);
    now -= 1;
  };
  first.start(handler);
  second.start(handler);
  await first.look("r");
  await until(() => total === 2 && now === 0);
  await sleep(100);
  assert.deepEqual({ most, total }, { most: 1, total: 2 });
});

test("a look that fails is reported and done again", async () => {
  const queue = await coordinator();
  let tries = 0;
  queue.start(async () => {
    tries += 1;
    if (tries === 1) throw new Error("no luck");
  });
  await queue.look("r");
  await until(() => tries === 2);
  assert.deepEqual(lines, ["run r: could not be looked at (attempt 1 of 12): no luck"]);
});

test("a look whose coordinator is killed is done again by another", async () => {
  const asking = await coordinator();
  const code = `
    const { LookQueue } = await import(${JSON.stringify(MODULE)});
    const options = ${JSON.stringify({ url: redis.url, prefix, lockMs: LOCK_MS })};
    const queue = await LookQueue.open({ ...options, report: console.error });
    queue.start(async (runId) => {
      console.log(runId);
      await new Promise(() => {});
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await asking.look("r");
  const [text] = await once(child.stdout, "data");
  assert.equal(String(text).trim(), "r");
  const looked: string[] = [];
  asking.start(async (runId) => void looked.push(runId));
  await sleep(3 * LOCK_MS);
  assert.deepEqual(looked, [], "not while its coordinator lives");
  child.kill("SIGKILL");
  await until(() => looked.length > 0);
  assert.deepEqual(looked, ["r"]);
});

test("stopping waits for a look under way, and the next coordinator does what is asked after", async () => {
  const [first, second] = [await coordinator(), await coordinator()];
  const begun = Promise.withResolvers<void>();
  let isDone = false;
  first.start(async () => {
    begun.resolve();
    await sleep(100);
    isDone = true;
  });
  await first.look("r");
  await begun.promise;
  await first.stop();
  assert.ok(isDone);
  await first.look("r");
  const looked: string[] = [];
  second.start(async (runId) => void looked.push(runId));
  await until(() => looked.length > 0);
  assert.deepEqual(looked, ["r"]);
});

test("a look that does not end keeps nobody from stopping, and is done again by the next", async () => {
  const [first, second] = [await coordinator(), await coordinator()];
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  first.start(() => {
    begun.resolve();
    return end.promise;
  });
  await first.look("r");
  await begun.promise;
  await first.stop();
  const looked: string[] = [];
  second.start(async (runId) => void looked.push(runId));
  await until(() => looked.length > 0);
  assert.deepEqual(looked, ["r"]);
  end.resolve();
});

test("the queue goes on after Redis died: what was acknowledged is done", async () => {
  const queue = await coordinator();
  const looked: string[] = [];
  queue.start(async (runId) => void looked.push(runId));
  await queue.look("before");
  await until(() => looked.includes("before"));
  await redis.kill();
  await assert.rejects(queue.look("away"), (error) => {
    assert.ok(error instanceof MoestroError && error.code === "environment");
    assert.match(error.message, /^Redis at .*redis\.sock: /);
    return true;
  });
  await redis.start();
  await queue.look("after");
  await until(() => looked.includes("after"));
});

test("a queue can be closed while Redis is away", async () => {
  const queue = await coordinator();
  queue.start(async () => {});
  await redis.kill();
  await queue.close();
  await redis.start();
});
