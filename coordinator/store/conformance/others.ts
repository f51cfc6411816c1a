import assert from "node:assert/strict";
import { type Check, LIFE, leader, SHORT_MS, SPEC, TOKEN, WISH } from "./fixture.ts";

/** Status, tokens, drained agents, and that all of it lasts. */
export function checkOthers(check: Check): void {
  check("others see the newest status, byte by byte", async (it, store) => {
    await store.create("r", SPEC, WISH);
    const held = await leader(store);
    await store.setStatus("r", held, new Uint8Array([1]));
    await store.setStatus("r", held, new Uint8Array([0, 255, 10, 128]));
    const other = await it.open();
    const status = await other.status("r");
    assert.deepEqual([...(status ?? [])], [0, 255, 10, 128]);
    assert.equal(await other.status("s"), undefined);
    await other.close();
  });

  check("a token is taken once, however many try at once", async (it, store) => {
    await store.addToken(TOKEN);
    await store.addToken({ ...TOKEN, id: "u" });
    const other = await it.open();
    const tries = Array.from({ length: 20 }, (_, index) =>
      (index % 2 ? store : other).takeToken("t"),
    );
    const taken = (await Promise.all(tries)).filter((token) => token !== undefined);
    assert.deepEqual(taken, [TOKEN]);
    assert.deepEqual(await store.tokens(), [{ ...TOKEN, id: "u" }]);
    await other.close();
  });

  check("drained agents are known to all until they are not", async (it, store) => {
    await store.setDrained("b", true);
    await store.setDrained("a", true);
    await store.setDrained("a", true);
    const other = await it.open();
    assert.deepEqual(await other.drained(), ["a", "b"]);
    await other.setDrained("a", false);
    assert.deepEqual(await store.drained(), ["b"]);
    await other.close();
  });

  check("all that was acknowledged survives a loss of power", async (it, store) => {
    const held = await store.acquire("leader", it.mortal, SHORT_MS);
    await store.create("r", SPEC, WISH);
    await store.wishCheckpoint("r");
    await store.setLife("r", held, LIFE);
    await store.nextGeneration("r", held);
    await store.addToken(TOKEN);
    await store.setDrained("a", true);
    await it.crash();
    const again = await it.open();
    const wish = { ...WISH, checkpoints: 1 };
    const run = { runId: "r", spec: SPEC, wish, life: LIFE, generation: 1 };
    assert.deepEqual(await again.active(), [run]);
    assert.deepEqual(await again.tokens(), [TOKEN]);
    assert.deepEqual(await again.drained(), ["a"]);
    await it.lapse();
    assert.ok((await leader(again)).epoch > held.epoch);
    await again.close();
  });
}
