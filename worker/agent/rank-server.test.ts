import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { holderOf } from "../../coordinator/store/holder.ts";
import { RankLinks } from "./rank-links.ts";
import { RankServer } from "./rank-server.ts";
import { until } from "./testing.ts";

const folder = mkdtempSync(join(tmpdir(), "moestro-rank-server-"));
const noted: string[] = [];
let links: RankLinks;
let server: RankServer;

const serverOf = (python = pythonExecutable()) =>
  new RankServer({ python, links, numThreads: 1, note: (line) => noted.push(line) });
const log = (name: string) => join(folder, `${name}.log`);
const isReady = (times: number) =>
  until(() => noted.filter((line) => line === "ready to start ranks").length === times);

before(async () => {
  links = await RankLinks.open(folder);
  server = serverOf();
});
after(() => {
  server.close();
  links.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

test("a rank that is asked for before it is ready is started then", async () => {
  const rank = server.start(log("early"));
  assert.equal(rank.pid, undefined);
  const pid = (await rank.started) ?? 0;
  assert.deepEqual(noted, ["ready to start ranks"]);
  assert.ok(holderOf(pid));
  await until(() => rank.link.isConnected);
  rank.kill(0);
  assert.deepEqual(await rank.ended, { exitCode: undefined, signal: "SIGKILL", logTail: [] });
  assert.equal(rank.isRunning, false);
});

test("one that is ended before it is started never comes to stand", async () => {
  const rank = server.start(log("never"));
  rank.kill(0);
  const { signal } = await rank.ended;
  assert.equal(signal, "SIGKILL");
});

test("one that will not end when asked is ended", async () => {
  const rank = server.start(log("stopped"));
  await until(() => rank.link.isConnected);
  rank.signal("SIGSTOP");
  await until(() => /^State:\s*T/m.test(readFileSync(`/proc/${rank.pid}/status`, "utf8")));
  rank.kill(100);
  const { signal } = await rank.ended;
  assert.equal(signal, "SIGKILL");
});

test("a server that is killed takes its ranks along, and the next is made at once", async () => {
  const rank = server.start(log("along"));
  const pid = (await rank.started) ?? 0;
  const killed = server.pid ?? 0;
  process.kill(killed, "SIGKILL");
  assert.equal((await rank.ended).signal, "SIGKILL");
  await until(() => holderOf(pid) === undefined);
  assert.ok(noted.includes("what starts ranks has ended: it said nothing"));
  await isReady(2);
  assert.notEqual(server.pid, killed);
  const next = server.start(log("next"));
  await until(() => next.link.isConnected);
  next.kill(0);
  await next.ended;
});

for (const [what, python, told] of [
  ["one that is not there", "/nowhere/python", "spawn /nowhere/python ENOENT"],
  ["one that says nothing", "/bin/false", undefined],
] as const) {
  test(`an interpreter that does not start, ${what}, is what ranks end of`, async () => {
    const broken = serverOf(python);
    for (const name of ["first", "second"]) {
      const rank = broken.start(log(name));
      assert.equal(await rank.started, undefined);
      const logTail = told ? [told] : [];
      assert.deepEqual(await rank.ended, { exitCode: 127, signal: "", logTail });
    }
    assert.equal(broken.pid, undefined);
    assert.equal(noted.at(-1), `what starts ranks has ended: ${told ?? "it said nothing"}`);
    assert.throws(() => readFileSync(log("first")), /ENOENT/);
    broken.close();
  });
}
