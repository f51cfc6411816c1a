import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fixtureJob } from "../spec/job-fixture.ts";
import type { Job } from "../spec/schema.ts";
import { CheckpointLedger } from "./ledger.ts";
import { SimulatedRun } from "./simulated-run-fixture.ts";

const STEPS = 12;
const EVERY_STEPS = 3;
const DISK_BYTES = 512 * 1024;
const CAP_SYS_ADMIN = 1n << 21n;

const directory = mkdtempSync(join(tmpdir(), "moestro-full-disk-"));
after(() => rmSync(directory, { recursive: true }));

// Who has the right runs the tests, or they fail: nothing that goes wrong here is skipped.
const skip = mayMount() ? false : "needs Linux and the right to mount a small disk";

let job: Job;
let run: SimulatedRun;
let disk: string;
let filler: string;
before(async () => {
  ({ job } = await fixtureJob({
    training: { steps: STEPS },
    checkpoint: { everySteps: EVERY_STEPS },
  }));
});

let count = 0;
beforeEach(async () => {
  if (skip) return;
  const name = `run-${++count}`;
  disk = join(directory, name);
  filler = join(disk, "filler");
  mount(disk);
  run = new SimulatedRun(directory, name, job);
  await run.begin();
  await run.trainTo(EVERY_STEPS + 1);
  fill();
});
afterEach(async () => {
  if (skip) return;
  await run.close();
  execFileSync("umount", [disk]);
});

/** A rank of one agent dies, and those of the other one notice. */
function loseRank(): void {
  run.agents[0].killRank();
  run.agents[1].losePeers();
}

/** With space again the run goes through, in these generations, and all of it is recorded. */
async function succeedWithSpace(generations: number[]): Promise<void> {
  rmSync(filler);
  await run.finish();
  assert.equal(run.ended?.state, "succeeded", run.failure?.stack);
  checkAllRecorded(generations);
}

test("a coordinator's full disk holds up no healthy run, and all is recorded once there is space", {
  skip,
}, async () => {
  await run.trainTo(2 * EVERY_STEPS + 2);
  const { reason, step, checkpointStep } = run.status() ?? {};
  assert.match(reason ?? "", /no space left on the disk; training goes on.*: free some$/);
  assert.deepEqual([step, checkpointStep], [BigInt(2 * EVERY_STEPS + 2), BigInt(EVERY_STEPS)]);
  assert.equal(new CheckpointLedger(run.files.checkpoints).newestCommitted()?.manifest.step, 3);
  await succeedWithSpace([1]);
});

test("a run whose ranks are done is so once their last checkpoint is committed", {
  skip,
}, async () => {
  while (run.agents[0].step !== undefined) await run.step();
  await sleep(500);
  assert.equal((await run.life())?.state, "running");
  await succeedWithSpace([1]);
});

test("what a coordinator could not record its successor is told again", { skip }, async () => {
  await run.trainTo(2 * EVERY_STEPS + 2);
  await run.replaceCoordinator();
  await sleep(20);
  assert.equal(run.status()?.step, BigInt(2 * EVERY_STEPS + 2));
  await succeedWithSpace([1]);
});

test("ranks that die while the disk is full are started again once there is space, behind the newest checkpoint", {
  skip,
}, async () => {
  await run.trainTo(2 * EVERY_STEPS + 2);
  loseRank();
  await sleep(800);
  assert.deepEqual(run.agents[0].generations, [1]);
  assert.match(
    run.status()?.reason ?? "",
    /no space left on the disk; what is to be recorded is kept until.*: free some$/,
  );
  await succeedWithSpace([1, 2]);
  const recovered = run.events.find(({ event }) => event === "run.recovered");
  assert.equal(recovered?.checkpointStep, 2 * EVERY_STEPS);
});

test("the checkpoint that a full disk did not take is taken by the next coordinator, though its ranks have died", {
  skip,
}, async () => {
  await run.trainTo(2 * EVERY_STEPS + 2);
  loseRank();
  await sleep(50);
  await run.replaceCoordinator();
  await sleep(50);
  await succeedWithSpace([1, 2]);
  const recovered = run.events.find(({ event }) => event === "run.recovered");
  assert.equal(recovered?.checkpointStep, 2 * EVERY_STEPS);
});

test("a run whose last checkpoint waits for space has succeeded then, however its ranks ended", {
  skip,
}, async () => {
  await run.trainTo(STEPS - 1);
  const [a, b] = run.agents;
  a.makeStep(STEPS, EVERY_STEPS, false);
  // It makes the last step and dies before its ranks have ended.
  b.makeStep(STEPS + 1, EVERY_STEPS, false);
  b.killRank();
  await sleep(50);
  assert.equal((await run.life())?.state, "running");
  await succeedWithSpace([1]);
});

test("whoever asks a run to stop whose checkpoint waits for space is told how to end it at once", {
  skip,
}, async () => {
  await run.trainTo(2 * EVERY_STEPS + 2);
  loseRank();
  await sleep(50);
  run.stop(true);
  const told = /asked to stop .*; --now ends it at once; .*no space left on the disk; what is/;
  assert.match(run.status()?.reason ?? "", told);
  run.stop(false);
  await run.finish();
  assert.equal((await run.life())?.state, "stopped");
});

test("a run that is asked to end at once does so though nothing of it can be written", {
  skip,
}, async () => {
  await run.trainTo(2 * EVERY_STEPS + 2);
  run.stop(false);
  await run.finish();
  assert.match(run.failure?.message ?? "", /no space left on the disk/);
  assert.equal((await run.life())?.state, "stopped");
});

/** Every step and checkpoint once and in order, and no rank started in vain. */
function checkAllRecorded(generations: number[]): void {
  const steps = run.metrics().map((one) => one.step);
  assert.deepEqual(
    steps,
    Array.from({ length: STEPS }, (_, index) => index + 1),
  );
  assert.deepEqual(run.agents[0].generations, generations);
  const committed = run.events.flatMap(({ event, step }) =>
    event === "checkpoint.committed" ? [step] : [],
  );
  assert.deepEqual(committed, [3, 6, 9, 12]);
  const told = run.events.flatMap(({ event }) => (event.startsWith("records.") ? [event] : []));
  // Once by each coordinator.
  assert.ok(told.length <= 4 && told[0] === "records.waiting", String(told));
  assert.equal(told.at(-1), "records.written");
  assert.equal(run.status()?.step, BigInt(STEPS));
}

function fill(): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(filler, Buffer.alloc(bavail * bsize));
}

function mount(path: string): void {
  mkdirSync(path);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "none", path]);
}

function mayMount(): boolean {
  if (process.platform !== "linux") return false;
  const [, capabilities = "0"] =
    /^CapEff:\s*(\w+)/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return (BigInt(`0x${capabilities}`) & CAP_SYS_ADMIN) !== 0n;
}
