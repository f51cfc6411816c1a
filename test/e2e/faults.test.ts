import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { SummaryRecord } from "../../coordinator/report/records.ts";
import { type Command, tinyJob, tinyTraining, Workplace } from "./moestro.ts";

/** The promise: everything has ended by then. */
const WITHIN_MS = 5000;
const place = new Workplace();

before(() => {
  // Endless for a test; two ranks, one a stage.
  const job = tinyJob({
    training: tinyTraining(100_000),
    layout: { pipelineParallel: 2, tensorParallel: 1 },
    cluster: { ranks: 2, device: "cpu" },
    checkpoint: { everySteps: 4 },
  });
  place.write("job.yaml", job);
});
after(() => place.remove());

const train = (...args: string[]) => place.start(["train", "job.yaml", "--json", ...args]);

/** The pid of a process of the run, as an event told it. */
async function pidOf(command: Command, event: string, message: RegExp): Promise<number> {
  const line = await command.line(
    "event",
    (one) => one.event === event && message.test(one.message),
  );
  return Number(line.pid);
}

const FAULTS: [who: string, victim: (command: Command) => Promise<number>, told: RegExp | null][] =
  [
    ["a rank", (run) => pidOf(run, "rank.started", /rank 1 /), /rank 1 was ended by SIGKILL/],
    ["the coordinator", (run) => pidOf(run, "coordinator.listening", /./), null],
    ["the launcher", async (run) => run.pid, null],
  ];

for (const [index, [who, victim, told]] of FAULTS.entries()) {
  test(`kill -9 of ${who}: all end, the last checkpoint loads, --resume continues`, async () => {
    const runId = `fault-${index}`;
    const run = train("--run-id", runId, "--max-restarts", "0");
    const committed = await run.event("checkpoint.committed");
    process.kill(await victim(run), "SIGKILL");
    await place.nothingLeft(WITHIN_MS);
    const ended = await run.ended;
    if (told) {
      assert.equal(ended.exitCode, 1, ended.stderr);
      const text = readFileSync(place.path("runs", runId, "summary.json"), "utf8");
      assert.match((JSON.parse(text) as SummaryRecord).reason, told);
    }

    const resumed = train("--resume", runId);
    const { step } = await resumed.step(1);
    assert.equal((step - 1) % 4, 0, `went on with step ${step}, not behind a checkpoint`);
    assert.ok(step > Number(committed.step));
    resumed.signal("SIGINT");
    resumed.signal("SIGINT");
    assert.equal((await resumed.ended).exitCode, 130);
    await place.nothingLeft(WITHIN_MS);
  });
}

const RECOVERIES: typeof FAULTS = [
  ["a rank", (run) => pidOf(run, "rank.started", /rank 1 /), /SIGKILL.*; restart 1 of at most 3/],
  [
    "the agent",
    (run) => pidOf(run, "agent.started", /./),
    /agent local .*; a restart that does not count/,
  ],
];

for (const [index, [who, victim, told]] of RECOVERIES.entries()) {
  test(`kill -9 of ${who}: the ranks start again behind the last checkpoint`, async () => {
    const runId = `recovery-${index}`;
    const run = train("--run-id", runId);
    await run.event("checkpoint.committed");
    process.kill(await victim(run), "SIGKILL");
    if (told) assert.match((await run.event("run.recovering")).message, told);
    const recovered = await run.event("run.recovered");
    assert.equal(Number(recovered.firstStep), Number(recovered.checkpointStep) + 1);
    assert.equal(
      recovered.lossBefore ?? recovered.loss,
      recovered.loss,
      "the same step, bit by bit",
    );
    run.signal("SIGINT");
    run.signal("SIGINT");
    assert.equal((await run.ended).exitCode, 130);
    await place.nothingLeft(WITHIN_MS);
  });
}

test("a run in use is refused to others; Ctrl-C twice stops at once", async () => {
  const run = train("--run-id", "busy");
  await run.step(2);
  const second = await place.run(["train", "job.yaml", "--resume", "busy"]);
  assert.equal(second.exitCode, 5);
  assert.match(second.stderr, /^run busy is in use by process \d+; wait .*moestro stop busy\n$/);
  run.signal("SIGINT");
  await sleep(5);
  run.signal("SIGINT");
  assert.equal((await run.ended).exitCode, 130);
  await place.nothingLeft(WITHIN_MS);
});

test("a closed terminal checkpoints and stops, though the hang-up is heard of twice", async () => {
  const run = train("--run-id", "hangup");
  await run.step(2);
  run.signal("SIGHUP");
  await place.nothingLeft(WITHIN_MS);
  const text = readFileSync(place.path("runs", "hangup", "summary.json"), "utf8");
  const summary = JSON.parse(text) as SummaryRecord;
  assert.equal(summary.status, "stopped");
  assert.equal(summary.checkpointStep, summary.steps);
});

test("Ctrl-C before the ranks stand ends the run", async () => {
  const run = train("--run-id", "early");
  await run.event("agent.started");
  run.signal("SIGINT");
  assert.equal((await run.ended).exitCode, 130);
  await place.nothingLeft(WITHIN_MS);
});

test("moestro stop checkpoints; a flipped byte in that checkpoint is named and the one before is used", async () => {
  const run = train("--run-id", "damaged");
  await run.event("checkpoint.committed");
  const stopped = await place.run(["stop", "damaged"]);
  assert.equal(stopped.exitCode, 0, stopped.stderr);
  assert.equal((await run.ended).exitCode, 0);
  await place.nothingLeft(WITHIN_MS);
  const text = readFileSync(place.path("runs", "damaged", "summary.json"), "utf8");
  const { checkpointStep, steps } = JSON.parse(text) as SummaryRecord & { checkpointStep: number };
  assert.equal(checkpointStep, steps);
  const folder = `step-${String(steps).padStart(8, "0")}`;
  const manifest = place.path("runs", "damaged", "checkpoints", folder, "manifest.json");
  const [file] = JSON.parse(readFileSync(manifest, "utf8")).shards.files;
  flipByte(place.path("runs", "damaged", "checkpoints", folder, file.name));

  const resumed = train("--resume", "damaged");
  const note = await resumed.event("checkpoint.damaged");
  assert.match(
    note.message,
    new RegExp(`${folder}: ${file.name} is damaged.*using the checkpoint of step \\d+ before it`),
  );
  const { step } = await resumed.step(1);
  assert.ok(
    step <= steps,
    `went on with step ${step} though the checkpoint of ${steps} is damaged`,
  );
  resumed.signal("SIGINT");
  resumed.signal("SIGINT");
  await resumed.ended;
});

function flipByte(path: string): void {
  const middle = Math.floor(readFileSync(path).length / 2);
  const byte = readFileSync(path)[middle] ?? 0;
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from([byte ^ 1]), 0, 1, middle);
  closeSync(file);
}
