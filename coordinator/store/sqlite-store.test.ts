import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { MoestroError } from "../errors.ts";
import { currentHolder } from "./holder.ts";
import type { RunStore } from "./run-store.ts";
import { openSqliteStore } from "./sqlite-store.ts";

let directory: string;
let store: RunStore;
const DEAD = { pid: process.pid, startedAt: "another process had this pid" };
const isInUse = (error: unknown) => error instanceof MoestroError && error.code === "in_use";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "moestro-store-"));
  store = openSqliteStore(join(directory, "moestro.db"));
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

test("a run that a living process holds is refused to others, with its pid", async () => {
  await store.acquire("r", currentHolder());
  await assert.rejects(store.acquire("r", currentHolder()), (error) => {
    return isInUse(error) && (error as Error).message.includes(String(process.pid));
  });
});

test("a run whose holder died is taken over under a higher epoch", async () => {
  const first = await store.acquire("r", DEAD);
  const second = await store.acquire("r", currentHolder());
  assert.ok(second > first);
});

test("a run whose holder was killed is free as soon as the process is gone", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const { isAlive } = await import("./holder.ts");
  const startedAt = await import("node:fs").then(
    ({ readFileSync }) =>
      readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ")[19],
  );
  const holder = { pid: child.pid ?? 0, startedAt: startedAt ?? "" };
  assert.ok(isAlive(holder));
  await store.acquire("r", holder);
  await assert.rejects(store.acquire("r", currentHolder()), isInUse);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  assert.ok(await store.acquire("r", currentHolder()));
});

test("a coordinator that was replaced can write nothing more", async () => {
  const old = await store.acquire("r", DEAD);
  await store.acquire("r", currentHolder());
  await assert.rejects(store.nextGeneration("r", old), isInUse);
  await assert.rejects(store.setState("r", old, "failed", "late"), isInUse);
  await assert.rejects(store.release("r", old), isInUse);
});

test("generations only grow, across coordinators and restarts of the store", async () => {
  const epoch = await store.acquire("r", DEAD);
  assert.equal(await store.nextGeneration("r", epoch), 1);
  await store.close();
  store = openSqliteStore(join(directory, "moestro.db"));
  const next = await store.acquire("r", currentHolder());
  assert.equal(await store.nextGeneration("r", next), 2);
});

test("state and reason are kept, and releasing frees the run", async () => {
  const epoch = await store.acquire("r", currentHolder());
  await store.setState("r", epoch, "running", "all ranks stand");
  await store.release("r", epoch);
  const run = await store.get("r");
  assert.equal(run?.state, "running");
  assert.equal(run?.reason, "all ranks stand");
  assert.equal(run?.holder, undefined);
  assert.ok(await store.acquire("r", currentHolder()));
});

test("two runs do not meet", async () => {
  await store.acquire("a", currentHolder());
  assert.ok(await store.acquire("b", currentHolder()));
  assert.equal(await store.get("c"), undefined);
});

test("a file that is no store is told in one line", () => {
  const path = join(directory, "other.db");
  writeFileSync(path, "this is not a database, but long enough to look like one ".repeat(20));
  assert.throws(
    () => openSqliteStore(path),
    (error) =>
      error instanceof MoestroError && error.lines.length === 1 && /other\.db/.test(error.message),
  );
});
