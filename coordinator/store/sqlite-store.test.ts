import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { MoestroError } from "../errors.ts";
import { conformance } from "./conformance.ts";
import { currentHolder, holderOf } from "./holder.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const root = mkdtempSync(join(tmpdir(), "moestro-store-"));
after(() => rmSync(root, { recursive: true }));

let count = 0;
function newDirectory(): string {
  const directory = join(root, String(++count));
  mkdirSync(directory);
  return directory;
}

conformance("SQLite", async () => {
  let directory = newDirectory();
  return {
    open: async () => openSqliteStore(join(directory, "moestro.db")),
    mortal: { pid: process.pid, startedAt: "another process had this pid" },
    lapse: async () => {},
    // What is on disk at this moment, while the store that wrote it is still open.
    crash: async () => {
      const next = newDirectory();
      for (const name of ["moestro.db", "moestro.db-wal"]) {
        copyFileSync(join(directory, name), join(next, name));
      }
      directory = next;
    },
  };
});

test("a lease whose holder was killed is free as soon as the process is gone", async () => {
  const store = openSqliteStore(join(newDirectory(), "moestro.db"));
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const holder = holderOf(child.pid ?? 0);
  assert.ok(holder);
  await store.acquire("run:r", holder, 1);
  const refused = new RegExp(`^run r is in use by process ${child.pid}; wait .*moestro stop r$`);
  await assert.rejects(store.acquire("run:r", currentHolder(), 1), (error) => {
    return error instanceof MoestroError && refused.test(error.message);
  });
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.ok(await store.acquire("run:r", currentHolder(), 1));
  await store.close();
});

test("a file of the first version is taken over: epochs, generations and ends go on", async () => {
  const path = join(newDirectory(), "moestro.db");
  const old = new DatabaseSync(path);
  old.exec(`CREATE TABLE runs (run_id TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL,
      generation INTEGER NOT NULL, epoch INTEGER NOT NULL,
      holder_pid INTEGER, holder_started_at TEXT) STRICT;
    INSERT INTO runs VALUES
      ('first', 'succeeded', 'done', 1, 1, NULL, NULL),
      ('second', 'running', 'all ranks stand', 4, 6, ${process.pid}, 'another boot'),
      ('third', 'failed', 'rank 0 ended', 2, 2, NULL, NULL);
    PRAGMA user_version = 1`);
  old.close();
  for (let time = 1; time <= 2; time += 1) {
    const store = openSqliteStore(path);
    const over = await store.ended(10);
    assert.deepEqual(
      over.map(({ runId, life }) => [runId, life.state, life.reason]),
      [
        ["third", "failed", "rank 0 ended"],
        ["first", "succeeded", "done"],
      ],
    );
    const [second] = await store.active();
    assert.equal(second?.life.state, "running");
    const held = await store.acquire("run:second", currentHolder(), 1);
    assert.equal(held.epoch, 6 + time);
    assert.equal(await store.nextGeneration("second", held), 4 + time);
    await store.release(held);
    await store.close();
  }
});

test("a file of a newer version is refused in one line, and left as it is", () => {
  const path = join(newDirectory(), "moestro.db");
  const newer = new DatabaseSync(path);
  newer.exec("PRAGMA user_version = 99");
  assert.throws(
    () => openSqliteStore(path),
    (error) => error instanceof MoestroError && /newer version .*schema 99/.test(error.message),
  );
  newer.exec("CREATE TABLE nobody_holds_a_lock (a)");
  newer.close();
});

test("a file that is no store is told in one line", () => {
  const path = join(newDirectory(), "other.db");
  writeFileSync(path, "this is not a database, but long enough to look like one ".repeat(20));
  assert.throws(
    () => openSqliteStore(path),
    (error) =>
      error instanceof MoestroError && error.lines.length === 1 && /other\.db/.test(error.message),
  );
});
