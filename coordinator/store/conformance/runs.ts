import assert from "node:assert/strict";
import { NEW_LIFE } from "../run-record.ts";
import {
  assertRuns,
  type Check,
  isEnvironment,
  isInUse,
  LIFE,
  leader,
  SHORT_MS,
  SPEC,
  WISH,
} from "./fixture.ts";

const ENDED = { ...LIFE, state: "succeeded" } as const;

/** Runs, their lives and their order. */
export function checkRuns(check: Check): void {
  check("a run is given back as it was submitted", async (it, store) => {
    await store.create("r", SPEC, WISH);
    const expected = { runId: "r", spec: SPEC, wish: WISH, life: NEW_LIFE, generation: 0 };
    assert.deepEqual(await store.get("r"), expected);
    const other = await it.open();
    assert.deepEqual(await other.active(), [expected]);
    await other.close();
    assert.equal(await store.get("s"), undefined);
  });

  check("that a run has agents of its own is kept, and put back", async (_, store) => {
    const spec = { ...SPEC, hasOwnAgents: true } as const;
    await store.create("r", spec, WISH);
    assert.deepEqual((await store.get("r"))?.spec, spec);
    const held = await leader(store);
    await store.restore({ runId: "s", spec, wish: WISH, life: LIFE, generation: 1 }, held);
    assert.deepEqual(
      (await store.active()).map((run) => run.spec),
      [spec, spec],
    );
  });

  check("a second run of the same name is refused and changes nothing", async (_, store) => {
    await store.create("r", SPEC, WISH);
    const other = { ...SPEC, owner: "user:eve" };
    await assert.rejects(store.create("r", other, WISH), isInUse);
    assert.equal((await store.get("r"))?.spec.owner, "user:ada");
  });

  check("of many who submit a run of one name at once one does", async (_, store) => {
    const all = Array.from({ length: 20 }, () => store.create("r", SPEC, WISH));
    const outcomes = await Promise.allSettled(all);
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal((await store.active()).length, 1);
  });

  check("runs that are not over are listed by submission", async (_, store) => {
    const ids = ["z", "a", "m", "b"];
    for (const id of ids) await store.create(id, SPEC, WISH);
    const held = await leader(store);
    await store.setLife("a", held, LIFE);
    await assertRuns(store.active(), ids);
  });

  check("runs that are over are listed apart, the last to end first", async (_, store) => {
    for (const id of ["a", "b", "c", "d"]) await store.create(id, SPEC, WISH);
    const held = await leader(store);
    await store.setLife("c", held, { ...LIFE, state: "succeeded" });
    await store.setLife("a", held, { ...LIFE, state: "failed" });
    await store.setLife("d", held, { ...LIFE, state: "stopped" });
    await store.setLife("c", held, { ...LIFE, state: "succeeded", reason: "told again" });
    await assertRuns(store.ended(10), ["d", "a", "c"]);
    await assertRuns(store.ended(2), ["d", "a"]);
    await assertRuns(store.ended(0), []);
    await assertRuns(store.active(), ["b"]);
  });

  check("of runs that are over only the last to end are kept, and all others", async (_, store) => {
    const held = await leader(store);
    const ids = Array.from({ length: 600 }, (_, index) => `run-${index}`);
    for (const id of ids) await store.create(id, SPEC, WISH);
    const [active = "", ...over] = ids;
    for (const id of over.toReversed()) await store.setLife(id, held, ENDED);
    await store.setStatus("run-1", held, new Uint8Array([1]));
    await store.setStatus("run-599", held, new Uint8Array([1]));
    assert.equal(await store.dropEnded(2, held), 597);
    await assertRuns(store.ended(1000), ["run-1", "run-2"]);
    await assertRuns(store.active(), [active]);
    assert.equal(await store.get("run-599"), undefined);
    assert.equal(await store.status("run-599"), undefined);
    assert.ok(await store.status("run-1"));
    assert.equal(await store.dropEnded(2, held), 0);
    // Its name is free again, and the last to end comes last.
    await store.create("run-599", SPEC, WISH);
    await store.setLife("run-599", held, ENDED);
    await assertRuns(store.ended(2), ["run-599", "run-1"]);
    assert.equal(await store.dropEnded(0, held), 3);
    await assertRuns(store.ended(1000), []);
    await assertRuns(store.active(), [active]);
  });

  check("only who holds the lease drops runs", async (_, store) => {
    const held = await leader(store);
    await store.create("r", SPEC, WISH);
    await store.setLife("r", held, ENDED);
    await store.release(held);
    await leader(store);
    await assert.rejects(store.dropEnded(0, held), isInUse);
    await assertRuns(store.ended(1), ["r"]);
  });

  check("a run that goes on after its end has its old place again", async (_, store) => {
    for (const id of ["a", "b"]) await store.create(id, SPEC, WISH);
    const held = await leader(store);
    await store.setLife("a", held, { ...LIFE, state: "stopped" });
    await store.setLife("a", held, LIFE);
    await assertRuns(store.active(), ["a", "b"]);
    await assertRuns(store.ended(10), []);
  });

  check("generations only grow, whoever asks, and no two are the same", async (it, store) => {
    await store.create("r", SPEC, WISH);
    const first = await store.acquire("leader", it.mortal, SHORT_MS);
    assert.equal(await store.nextGeneration("r", first), 1);
    await it.lapse();
    const second = await leader(store);
    const many = await Promise.all(
      Array.from({ length: 20 }, () => store.nextGeneration("r", second)),
    );
    assert.deepEqual(
      many.toSorted((a, b) => a - b),
      Array.from({ length: 20 }, (_, index) => index + 2),
    );
    assert.equal((await store.get("r"))?.generation, 21);
  });

  check("a run that the store lost is put back once, as it was", async (_, store) => {
    const held = await leader(store);
    const run = { runId: "r", spec: SPEC, wish: { ...WISH, checkpoints: 3 }, life: LIFE };
    assert.equal(await store.restore({ ...run, generation: 7 }, held), true);
    assert.equal(await store.restore({ ...run, generation: 2 }, held), false);
    assert.deepEqual(await store.get("r"), { ...run, generation: 7 });
    assert.equal(await store.nextGeneration("r", held), 8);
    const over = { ...run, runId: "s", life: { ...LIFE, state: "failed" as const } };
    await store.restore({ ...over, generation: 1 }, held);
    await assertRuns(store.ended(1), ["s"]);
  });

  check("a life of a run that the store does not have is refused", async (_, store) => {
    const held = await leader(store);
    await assert.rejects(store.setLife("r", held, LIFE), isEnvironment);
    await assert.rejects(store.nextGeneration("r", held), isEnvironment);
    assert.deepEqual(await store.active(), []);
  });

  check("ten thousand runs are all there, in their order", async (_, store) => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `run-${index}`);
    for (let first = 0; first < ids.length; first += 500) {
      const some = ids.slice(first, first + 500);
      await Promise.all(some.map((id) => store.create(id, SPEC, WISH)));
    }
    await assertRuns(store.active(), ids);
  });
}
