import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MoestroError } from "../errors.ts";
import { currentHolder, isAlive } from "./holder.ts";
import { PrivateRedis } from "./redis-server.ts";
import { openRedisStore } from "./redis-store.ts";
import type { Holder } from "./store.ts";

const SERVER_MODULE = new URL("./redis-server.ts", import.meta.url).href;
const root = mkdtempSync(join(tmpdir(), "moestro-server-"));
const directories: string[] = [];
const coordinators: ChildProcess[] = [];

after(() => {
  for (const coordinator of coordinators) coordinator.kill("SIGKILL");
  for (const directory of directories) {
    const server = recorded(directory);
    if (server && isAlive(server)) process.kill(server.pid, "SIGKILL");
  }
  rmSync(root, { recursive: true });
});

function newDirectory(name: string): string {
  const directory = join(root, name);
  mkdirSync(directory, { recursive: true });
  directories.push(directory);
  return directory;
}

function recorded(directory: string): Holder | undefined {
  const path = join(directory, "redis", "server.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
}

function serverPid(directory: string): number {
  const server = recorded(directory);
  assert.ok(server && isAlive(server));
  return server.pid;
}

function numStarts(directory: string): number {
  const log = readFileSync(join(directory, "redis", "redis.log"), "utf8");
  return log.split("Server initialized").length - 1;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

/** A coordinator in a process of its own, that says when its server stands. */
function otherCoordinator(directory: string) {
  const code = `
    const { PrivateRedis } = await import(${JSON.stringify(SERVER_MODULE)});
    const server = await PrivateRedis.open(${JSON.stringify(directory)});
    process.stdin.once("end", () => server.close());
    process.stdin.resume();
    console.log("up");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  coordinators.push(child);
  return { child, up: once(child.stdout, "data"), exit: once(child, "exit") };
}

test("a private server listens on a socket that only its owner may use", async () => {
  const directory = newDirectory("private");
  const server = await PrivateRedis.open(directory);
  const { store, warnings } = await openRedisStore(server.url);
  assert.deepEqual(warnings, []);
  await store.close();
  assert.equal(statSync(new URL(server.url).pathname).mode & 0o77, 0);
  assert.equal(statSync(join(directory, "redis")).mode & 0o77, 0);
  await server.close();
});

test("the last coordinator to end ends the server, others do not", async () => {
  const directory = newDirectory("last");
  const first = await PrivateRedis.open(directory);
  const second = await PrivateRedis.open(directory);
  const pid = serverPid(directory);
  await first.close();
  assert.equal(serverPid(directory), pid);
  await second.close();
  assert.throws(() => serverPid(directory));
});

test("coordinators that start at once start one server", async () => {
  const directory = newDirectory("at-once");
  const others = [1, 2, 3].map(() => otherCoordinator(directory));
  const server = await PrivateRedis.open(directory);
  const pid = serverPid(directory);
  await Promise.all(others.map(({ up }) => up));
  assert.equal(serverPid(directory), pid);
  assert.equal(numStarts(directory), 1);
  for (const { child } of others) child.stdin.end();
  await Promise.all(others.map(({ exit }) => exit));
  await server.close();
  assert.throws(() => serverPid(directory));
});

test("the server outlives a coordinator that is killed, and the next one uses it", async () => {
  const directory = newDirectory("outlives");
  const { child, up, exit } = otherCoordinator(directory);
  await up;
  const pid = serverPid(directory);
  child.kill("SIGKILL");
  await exit;
  const server = await PrivateRedis.open(directory);
  assert.equal(serverPid(directory), pid);
  await server.close();
});

test("a server that is killed is started again once, with all that was acknowledged", async () => {
  const directory = newDirectory("killed");
  const servers = [await PrivateRedis.open(directory), await PrivateRedis.open(directory)];
  const lines: string[] = [];
  for (const server of servers) server.keepAlive((line) => lines.push(line));
  const { store } = await openRedisStore(servers[0]?.url ?? "");
  const { epoch } = await store.acquire("leader", currentHolder(), 60_000);
  const pid = serverPid(directory);
  process.kill(pid, "SIGKILL");
  await until(() => lines.length > 0);
  assert.match(lines[0] ?? "", /^redis-server had died and runs again/);
  assert.notEqual(serverPid(directory), pid);
  assert.ok(await store.renew({ lease: "leader", epoch }, 60_000));
  await store.close();
  for (const server of servers) await server.close();
  assert.equal(numStarts(directory), 2);
});

test("a server that is stopped for a while is not replaced", async () => {
  const directory = newDirectory("stopped");
  const server = await PrivateRedis.open(directory);
  server.keepAlive((line) => assert.fail(line));
  const { store } = await openRedisStore(server.url);
  const pid = serverPid(directory);
  process.kill(pid, "SIGSTOP");
  await assert.rejects(store.drained(), isEnvironment);
  process.kill(pid, "SIGCONT");
  assert.deepEqual(await store.drained(), []);
  assert.equal(serverPid(directory), pid);
  await store.close();
  await server.close();
});

test("in a folder that lies too deep for a socket, the socket lies elsewhere", async () => {
  const directory = newDirectory("deep/".repeat(30));
  const server = await PrivateRedis.open(directory);
  const path = new URL(server.url).pathname;
  assert.ok(path.length < 104 && !path.startsWith(directory));
  assert.equal(statSync(dirname(path)).mode & 0o77, 0);
  await server.close();
  rmSync(dirname(path), { recursive: true });
});

test("a machine without redis-server is told in one line", async () => {
  const { PATH } = process.env;
  process.env.PATH = root;
  try {
    await assert.rejects(PrivateRedis.open(newDirectory("none")), (error) => {
      assert.ok(isEnvironment(error));
      assert.match(
        error.message,
        /^redis-server: not found on this machine; install it .* --redis URL$/,
      );
      return true;
    });
  } finally {
    process.env.PATH = PATH;
  }
});

function isEnvironment(error: unknown): error is MoestroError {
  return error instanceof MoestroError && error.code === "environment" && error.lines.length === 1;
}
