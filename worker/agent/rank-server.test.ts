import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { holderOf } from "../../coordinator/store/holder.ts";
import { RankLinks } from "./rank-links.ts";
import { RankServer } from "./rank-server.ts";
import { childrenOf, until } from "./testing.ts";

const ANSWER_MS = 1000;
const READY = "ready to start ranks";
const folder = mkdtempSync(join(tmpdir(), "moestro-rank-server-"));
const log = (name: string) => join(folder, `${name}.log`);
let noted: string[] = [];
let links: RankLinks;
let server: RankServer;

/** The server of a test, until that is over. */
function open(t: TestContext, python = pythonExecutable()): void {
  noted = [];
  const note = (line: string) => void noted.push(line);
  const opened = new RankServer({ python, links, numThreads: 1, answerMs: ANSWER_MS, note });
  server = opened;
  t.after(async () => {
    opened.close();
    await until(() => pidNow() === 0);
  });
}

/** The process behind the server of this test. */
const pidNow = () =>
  childrenOf(process.pid).find(({ command }) => command.includes("rank_server"))?.pid ?? 0;
const times = (line: string) => noted.filter((one) => one === line).length;

async function connected(name: string) {
  const rank = server.start(log(name));
  const pid = await rank.started;
  if (!pid) assert.fail(JSON.stringify([await rank.ended, noted]));
  await until(() => rank.link.isConnected);
  return { rank, pid };
}

before(async () => {
  links = await RankLinks.open(folder);
});
after(() => {
  links.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

test("ranks are started once it can, and what becomes of them is told", async (t) => {
  open(t);
  const early = server.start(log("early"));
  const never = server.start(log("never"));
  never.kill(0);
  assert.equal((await never.ended).signal, "SIGKILL");
  assert.equal(await never.started, undefined);
  const pid = (await early.started) ?? 0;
  assert.deepEqual(noted, [READY]);
  assert.ok(holderOf(pid));
  await until(() => early.link.isConnected);
  assert.equal(readFileSync(`/proc/${pid}/comm`, "utf8"), "moestro-rank\n");
  early.kill(0);
  assert.deepEqual(await early.ended, { exitCode: undefined, signal: "SIGKILL", logTail: [] });
  assert.equal(early.isRunning, false);

  await t.test("one that will not end when asked is ended", async () => {
    const { rank, pid } = await connected("stopped");
    rank.signal("SIGSTOP");
    await until(() => /^State:\s*T/m.test(readFileSync(`/proc/${pid}/status`, "utf8")));
    rank.kill(100);
    assert.equal((await rank.ended).signal, "SIGKILL");
  });

  await t.test("what ends all processes of an agent in order ends the server last", async () => {
    const { rank, pid } = await connected("ordered");
    for (const one of [pidNow(), pid]) process.kill(one, "SIGTERM");
    assert.deepEqual(await rank.ended, { exitCode: undefined, signal: "SIGTERM", logTail: [] });
    const { rank: next } = await connected("ordered-next");
    next.kill(0);
    await next.ended;
  });

  await t.test("a log that cannot be written is said before anything is started", () => {
    mkdirSync(log("folder"));
    assert.throws(() => server.start(log("folder")), /EISDIR/);
  });
});

test("a server that is killed takes its ranks along, and the next is made at once", async (t) => {
  open(t);
  const { rank, pid } = await connected("along");
  const killed = pidNow();
  process.kill(killed, "SIGKILL");
  const what = "the process that starts ranks was ended by SIGKILL";
  const { signal, problem } = await rank.ended;
  assert.deepEqual([signal, problem], ["", what]);
  assert.equal(holderOf(pid), undefined);
  await until(() => times(READY) === 2);
  assert.deepEqual(noted, [READY, what, READY]);
  assert.notEqual(pidNow(), killed);
  const { rank: next } = await connected("next");
  next.kill(0);
  await next.ended;
});

test("a server that hangs is ended, when something is asked of it or a rank goes unheard", async (t) => {
  open(t);
  const what = "the process that starts ranks did not answer for 1 s and was ended";
  const { rank: asked } = await connected("asked");
  process.kill(pidNow(), "SIGSTOP");
  asked.kill(0);
  assert.equal((await asked.ended).problem, what);
  await until(() => times(READY) === 2);
  const { rank: unheard, pid } = await connected("unheard");
  process.kill(pidNow(), "SIGSTOP");
  process.kill(pid, "SIGKILL");
  assert.equal((await unheard.ended).problem, what);
  assert.equal(times(what), 2);
});

/** Has every Python process that is started meanwhile do something first. */
async function withPython(program: string, body: () => Promise<void>): Promise<void> {
  const before = process.env.PYTHONPATH;
  const hooks = mkdtempSync(join(folder, "hooks-"));
  writeFileSync(join(hooks, "sitecustomize.py"), program);
  process.env.PYTHONPATH = hooks;
  try {
    await body();
  } finally {
    if (before === undefined) delete process.env.PYTHONPATH;
    else process.env.PYTHONPATH = before;
  }
}

test("a rank that cannot be started is told so, and the others go on", async (t) => {
  const failing = `import os
fork, forks = os.fork, []
def failing():
    forks.append(0)
    if len(forks) == 2: raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()
os.fork = failing
`;
  await withPython(failing, async () => {
    open(t);
    const { rank: first } = await connected("first");
    const second = server.start(log("second"));
    const { problem } = await second.ended;
    assert.equal(problem, "cannot start ranks: Resource temporarily unavailable");
    assert.equal(await second.started, undefined);
    const { rank: third } = await connected("third");
    assert.ok(first.isRunning);
    for (const rank of [first, third]) rank.kill(0);
    await Promise.all([first.ended, third.ended]);
  });
});

test("where a thread came with the imports, ranks import for themselves", async (t) => {
  const threaded = `import threading, time
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
`;
  await withPython(threaded, async () => {
    open(t);
    const { rank } = await connected("apart");
    const why = "1 threads were started while all was imported";
    assert.deepEqual(noted, [`ranks import for themselves: ${why}`]);
    rank.kill(0);
    assert.equal((await rank.ended).signal, "SIGKILL");
  });
});

test("an interpreter behind a script that prints is one all the same", async (t) => {
  const script = join(folder, "python");
  writeFileSync(script, `#!/bin/sh\necho loading modules\nexec ${pythonExecutable()} "$@"\n`);
  chmodSync(script, 0o755);
  open(t, script);
  const { rank } = await connected("behind");
  process.kill(pidNow(), "SIGKILL");
  const what = "the process that starts ranks was ended by SIGKILL; its last line: loading modules";
  assert.equal((await rank.ended).problem, what);
});

for (const [what, python, told] of [
  ["one that is not there", "/nowhere/python", "cannot be started: spawn /nowhere/python ENOENT"],
  ["one that says nothing", "/bin/false", "ended with exit code 1"],
] as const) {
  test(`an interpreter that does not start, ${what}, is what ranks end of`, async (t) => {
    open(t, python);
    for (const name of ["first", "second"]) {
      const rank = server.start(log(name));
      assert.equal(await rank.started, undefined);
      const { exitCode, problem } = await rank.ended;
      assert.equal(exitCode, undefined);
      assert.equal(problem, `cannot start ranks: the process that starts ranks ${told}`);
    }
    assert.equal(noted.at(-1), `the process that starts ranks ${told}`);
  });
}
