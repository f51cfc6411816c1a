import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../free-ports.ts";
import { type Command, type Ended, tinyJob, tinyTraining, Workplace } from "./moestro.ts";

/** Far above what anything here takes. */
const PATIENCE_MS = 120_000;
const place = new Workplace();
let serve: Command;
let agent: Command;

before(async () => {
  place.write("job.yaml", tinyJob());
  place.write("long.yaml", tinyJob({ name: "long", training: tinyTraining(100_000) }));
  const [address, joinAddress] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const joinPort = joinAddress.split(":")[1] ?? "";
  serve = place.start(["serve", "--listen", address, "--join-port", joinPort]);
  await until("token", "create", ({ exitCode }) => exitCode === 0);
  const { stdout: token } = await moestro("token", "create", "--name", "node-0");
  agent = place.start(
    ["agent", "--coordinator", address, "--join", joinAddress, "--agent-id", "node-0"].concat([
      ...["--slots", "4"],
    ]),
    { MOESTRO_TOKEN: token.trim() },
  );
  await until("agents", ({ stdout }) => /^node-0 +connected/m.test(stdout));
});
after(() => place.remove());

const moestro = (...args: string[]) => place.run(args);

/** A command that must do what it is asked. */
async function done(...args: string[]): Promise<Ended> {
  const ended = await moestro(...args);
  assert.equal(ended.exitCode, 0, ended.stderr);
  return ended;
}

/** Repeats a command until what it says is so. */
async function until(...args: [...string[], (ended: Ended) => boolean]): Promise<Ended> {
  const isSo = args.pop() as (ended: Ended) => boolean;
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const ended = await moestro(...(args as string[]));
    if (isSo(ended)) return ended;
    assert.ok(Date.now() < deadline, `never so: ${args.join(" ")}: ${ended.stdout}${ended.stderr}`);
    await sleep(100);
  }
}

test("a job that is submitted trains on the agent; watching it ends as it does", async () => {
  const { exitCode, stdout, stderr } = await moestro(
    "submit",
    "job.yaml",
    "--run-id",
    "a",
    "--watch",
  );
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^a\na: (queued|starting) /);
  assert.match(stdout, /\na: succeeded \(all 16 steps are done\): step 16\/16, loss /);
});

test("programs read what became of it", async () => {
  const status = JSON.parse((await moestro("status", "a", "--json")).stdout);
  const { state, step, checkpointStep, generation, maxRanks } = status;
  assert.deepEqual(
    { state, step, checkpointStep, generation, maxRanks },
    {
      ...{ state: "succeeded", step: 16, checkpointStep: 16, generation: 1, maxRanks: 4 },
    },
  );
  const runs = JSON.parse((await moestro("list", "--all", "--json")).stdout);
  assert.deepEqual(runs, [status]);
  const { stdout } = await moestro("events", "a", "--json");
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).event);
  assert.deepEqual([events[0], events.at(-1)], ["run.queued", "run.succeeded"]);
  assert.match((await moestro("logs", "a")).stdout, /^rank 3 \| /m);
});

test("a run checkpoints, gives its slots back, goes on and is cancelled, as asked", async () => {
  await moestro("submit", "long.yaml", "--run-id", "long");
  await until("status", "long", "--json", ({ stdout }) => JSON.parse(stdout).step > 0);
  await done("checkpoint", "now", "long");
  await until("events", "long", ({ stdout }) => stdout.includes("checkpoint.committed"));
  await done("suspend", "long");
  await until("list", ({ stdout }) => /^long +suspended/m.test(stdout));
  assert.match((await moestro("agents")).stdout, /^node-0 .* 0\/4 /m);
  await done("resume", "long");
  await until("list", ({ stdout }) => /^long +running/m.test(stdout));
  const watching = place.start(["status", "long", "--watch"]);
  await done("cancel", "long", "--now");
  const { exitCode, stdout } = await watching.ended;
  assert.equal(exitCode, 0);
  assert.match(stdout, /(^|\n)long: stopped \(.*\n$/);
});

test("a drained agent gets no ranks until that is undone", async () => {
  await done("drain", "node-0");
  await moestro("submit", "job.yaml", "--run-id", "waits");
  assert.match((await moestro("agents")).stdout, /^node-0 +connected, drained/m);
  assert.match((await moestro("list")).stdout, /^waits +queued/m);
  await moestro("drain", "node-0", "--undo");
  const { stdout } = await moestro("status", "waits", "--watch");
  assert.match(stdout, /\nwaits: succeeded /);
});

test("mistakes are told in one line, each with its exit code", async () => {
  for (const [args, code, told] of [
    [["status", "none"], 2, /: there is no run none/],
    [["cancel", "a"], 1, /: run a has ended/],
    [["submit", "job.yaml", "--run-id", "a"], 5, /: there is a run a already/],
    [["submit", "job.yaml", "--min", "0"], 2, /whole number of at least 1/],
    [["drain", "none"], 2, /: there is no agent none/],
    [["list", "--coordinator", "127.0.0.1:9"], 4, /: no coordinator answers there/],
    [["agent", "--coordinator", "127.0.0.1"], 2, /^--coordinator .*give host:port/],
  ] as const) {
    const { exitCode, stderr } = await moestro(...args);
    assert.equal(exitCode, code, stderr);
    assert.match(stderr, told);
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
});

test("agent and coordinator end when asked, and leave nothing running", async () => {
  agent.signal("SIGTERM");
  assert.equal((await agent.ended).exitCode, 130);
  serve.signal("SIGTERM");
  assert.equal((await serve.ended).exitCode, 0);
  await place.nothingLeft(5000);
});
