import assert from "node:assert/strict";
import { type Check, LIFE, leader, SPEC, WISH } from "./fixture.ts";

/** What people want, however many at once. */
export function checkWishes(check: Check): void {
  check("a life is kept whole, and leaves spec and wish alone", async (_, store) => {
    await store.create("r", SPEC, WISH);
    await store.setLife("r", await leader(store), LIFE);
    const run = await store.get("r");
    assert.deepEqual(run?.life, LIFE);
    assert.deepEqual(run?.spec, SPEC);
    assert.deepEqual(run?.wish, WISH);
  });

  check("what people want is changed field by field, and told", async (_, store) => {
    await store.create("r", SPEC, WISH);
    assert.deepEqual(await store.wish("r", { phase: "suspend" }), { ...WISH, phase: "suspend" });
    assert.deepEqual(await store.wish("r", { maxRanks: 4 }), {
      ...WISH,
      ...{ phase: "suspend", maxRanks: 4 },
    });
    assert.deepEqual((await store.wish("r", {}))?.maxRanks, 4);
    assert.equal(await store.wish("s", { phase: "stop" }), undefined);
    assert.equal(await store.wishCheckpoint("s"), undefined);
    assert.equal(await store.get("s"), undefined);
  });

  check("wishes of many at once are all heard", async (it, store) => {
    await store.create("r", SPEC, WISH);
    const other = await it.open();
    await Promise.all([
      ...Array.from({ length: 30 }, () => store.wishCheckpoint("r")),
      ...Array.from({ length: 30 }, () => other.wishCheckpoint("r")),
      store.wish("r", { minRanks: 1 }),
      other.wish("r", { phase: "stop" }),
      store.wish("r", { maxRanks: 16 }),
    ]);
    const expected = { phase: "stop", minRanks: 1, maxRanks: 16, checkpoints: 60 };
    assert.deepEqual((await store.get("r"))?.wish, expected);
    await other.close();
  });

  check("a life does not undo a wish that came meanwhile", async (_, store) => {
    await store.create("r", SPEC, WISH);
    const held = await leader(store);
    const run = await store.get("r");
    await store.wish("r", { phase: "kill" });
    await store.setLife("r", held, { ...(run?.life ?? LIFE), state: "starting" });
    assert.equal((await store.get("r"))?.wish.phase, "kill");
  });
}
