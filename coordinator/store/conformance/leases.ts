import assert from "node:assert/strict";
import { currentHolder } from "../holder.ts";
import {
  type Check,
  isInUse,
  LIFE,
  LONG_MS,
  leader,
  runOf,
  SHORT_MS,
  SPEC,
  WISH,
} from "./fixture.ts";

/** Who may write, and that nobody else can. */
export function checkLeases(check: Check): void {
  check("a lease that is held is refused to others, with the holder's pid", async (_, store) => {
    await leader(store);
    await assert.rejects(leader(store), (error) => {
      return isInUse(error) && error.message.includes(String(process.pid));
    });
  });

  check("of many who want a lease at once one gets it", async (subject) => {
    const stores = await Promise.all(Array.from({ length: 5 }, () => subject.open()));
    const outcomes = await Promise.allSettled(stores.map(leader));
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    await Promise.all(stores.map((store) => store.close()));
  });

  check("two leases do not meet", async (_, store) => {
    await leader(store);
    assert.ok(await store.acquire("run:r", currentHolder(), LONG_MS));
  });

  check("a lease whose holder is gone is taken over under a higher epoch", async (it, store) => {
    const old = await store.acquire("leader", it.mortal, SHORT_MS);
    await it.lapse();
    assert.ok((await leader(store)).epoch > old.epoch);
  });

  check(
    "where a holder can be reached is told until another takes its place",
    async (it, store) => {
      assert.equal(await store.announced("leader"), undefined);
      const old = await store.acquire("leader", it.mortal, SHORT_MS);
      await store.announce(old, "a:1");
      assert.equal(await store.announced("leader"), "a:1");
      await it.lapse();
      await leader(store);
      assert.equal(await store.announced("leader"), undefined);
      await store.announce(old, "a:1");
      assert.equal(await store.announced("leader"), undefined, "it is held no more");
    },
  );

  check("a lease that was given up is free, and its next epoch higher", async (_, store) => {
    const old = await leader(store);
    await store.release(old);
    const next = await leader(store);
    assert.ok(next.epoch > old.epoch);
    await store.release(old);
    assert.ok(await store.renew(next, LONG_MS), "releasing twice harms nobody");
  });

  check("a lease that ran out can be renewed if nobody took it", async (it, store) => {
    const held = await store.acquire("leader", it.mortal, SHORT_MS);
    await it.lapse();
    assert.equal(await store.renew(held, LONG_MS), true);
    await store.create("r", SPEC, WISH);
    assert.equal(await store.nextGeneration("r", held), 1);
  });

  check("a lease that ran out cannot be renewed once somebody took it", async (it, store) => {
    const held = await store.acquire("leader", it.mortal, SHORT_MS);
    await it.lapse();
    const next = await leader(store);
    assert.equal(await store.renew(held, LONG_MS), false);
    assert.equal(await store.renew(next, LONG_MS), true);
  });

  check("a coordinator that was replaced can write nothing more", async (it, store) => {
    await store.create("r", SPEC, WISH);
    const old = await store.acquire("leader", it.mortal, SHORT_MS);
    await store.setLife("r", old, LIFE);
    await it.lapse();
    const next = await leader(store);
    const before = await store.get("r");
    await assert.rejects(store.setLife("r", old, { ...LIFE, state: "failed" }), isInUse);
    await assert.rejects(store.nextGeneration("r", old), isInUse);
    await assert.rejects(store.setStatus("r", old, new Uint8Array(1)), isInUse);
    await assert.rejects(store.restore(runOf("s"), old), isInUse);
    await store.release(old);
    assert.equal(await store.renew(next, LONG_MS), true);
    assert.deepEqual(await store.get("r"), before);
    assert.equal(await store.status("r"), undefined);
  });

  check("a lease that was given up is good for no write", async (_, store) => {
    await store.create("r", SPEC, WISH);
    const held = await leader(store);
    await store.release(held);
    assert.equal(await store.renew(held, LONG_MS), false);
    await assert.rejects(store.nextGeneration("r", held), isInUse);
  });
}
