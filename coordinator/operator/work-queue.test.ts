import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { until } from "../../test/faults/patience.ts";
import { retryMs } from "../retry.ts";
import { RETRY_OPTIONS, WorkQueue } from "./work-queue.ts";

const FAST = { firstMs: 1, mostMs: 4, random: () => 0, concurrency: 2 };
const never = () => assert.fail("nothing fails here");

it("waits longer after each failure, up to a limit, and never less than half as long", () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (n, x) => {
        const options = { ...RETRY_OPTIONS, random: () => x };
        const waitMs = retryMs(n, options);
        assert.ok(waitMs <= retryMs(n + 1, options) && waitMs <= options.mostMs);
        assert.ok(waitMs >= options.firstMs / 2);
      },
    ),
  ));

it("looks at a job once at a time, and once more if it was asked for meanwhile", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const looks: string[] = [];
  let numNow = 0;
  const queue = new WorkQueue(
    async (key) => {
      looks.push(key);
      numNow += 1;
      assert.equal(numNow, 1);
      await promise;
      numNow -= 1;
      return undefined;
    },
    never,
    FAST,
  );
  for (let count = 0; count < 5; count += 1) queue.add("a");
  await sleep(5);
  assert.deepEqual(looks, ["a"]);
  resolve();
  await until("another look", () => looks.length === 2 || undefined);
  await sleep(5);
  assert.deepEqual(looks, ["a", "a"]);
  queue.close();
});

it("looks at other jobs while one is slow, but not at more than it may at once", async () => {
  let numNow = 0;
  const seen = new Set<string>();
  const queue = new WorkQueue(
    async (key) => {
      numNow += 1;
      assert.ok(numNow <= FAST.concurrency);
      seen.add(key);
      await sleep(2);
      numNow -= 1;
      return undefined;
    },
    never,
    FAST,
  );
  for (const key of ["a", "b", "c", "d"]) queue.add(key);
  await until("all looks", () => seen.size === 4 || undefined);
  queue.close();
});

it("looks again after a failure, and when a look asked for it", async () => {
  let numLooks = 0;
  const failures: unknown[] = [];
  const queue = new WorkQueue(
    async () => {
      numLooks += 1;
      if (numLooks < 3) throw new Error(`failure ${numLooks}`);
      return numLooks === 3 ? 1 : undefined;
    },
    (_, error) => failures.push(error),
    FAST,
  );
  queue.add("a");
  await until("four looks", () => numLooks === 4 || undefined);
  assert.equal(failures.length, 2);
  queue.close();
});

it("looks again after a month no sooner", async () => {
  let numLooks = 0;
  const look = async () => {
    numLooks += 1;
    return 30 * 24 * 3600 * 1000;
  };
  const queue = new WorkQueue(look, never, FAST);
  queue.add("a");
  await sleep(30);
  assert.equal(numLooks, 1);
  queue.close();
});
