import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MetricsRecord } from "../report/records.ts";
import { TestRecorder } from "./recorder-fixture.ts";
import { RunDirectory } from "./run-directory.ts";

let directory: RunDirectory;

beforeEach(() => {
  directory = new RunDirectory(mkdtempSync(join(tmpdir(), "moestro-recorder-")));
});
afterEach(() => rmSync(directory.path, { recursive: true }));

/** A coordinator's life: goes on behind a step, records those up to another one. */
async function live(lastStep: number, to: number): Promise<void> {
  const recorder = new TestRecorder(directory);
  await recorder.steps.rewind(lastStep);
  recorder.train(lastStep + 1, to);
  recorder.close();
}

const linesIn = (path: string) =>
  readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => (line === "" ? [] : (JSON.parse(line) as MetricsRecord)));
const stepsIn = (path: string) => linesIn(path).map(({ step }) => step);

test("steps behind the checkpoint a run is resumed from are set aside, not lost", async () => {
  await live(0, 5);
  const recorder = new TestRecorder(directory);
  const superseded = await recorder.steps.rewind(3);
  recorder.train(4, 6);
  recorder.close();
  assert.deepEqual(stepsIn(directory.metrics), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(stepsIn(directory.supersededMetrics), [4, 5]);
  assert.deepEqual(superseded, { numSteps: 2, first: { step: 4, loss: 640 / 4 / 64 } });
});

test("a last line that a crash cut short is not there, for whoever goes on", async () => {
  await live(0, 2);
  appendFileSync(directory.metrics, '{"step":3,"loss":');
  const adopting = new TestRecorder(directory);
  adopting.steps.goOn();
  assert.equal(adopting.steps.writtenStep, 2);
  adopting.train(3, 4);
  adopting.close();
  assert.deepEqual(stepsIn(directory.metrics), [1, 2, 3, 4]);
});

test("steps that are trained again leave the sums, and those of a resumed run stay in them", async () => {
  await live(0, 8);
  await live(5, 6);
  const recorder = new TestRecorder(directory);
  recorder.steps.goOn();
  assert.equal(recorder.steps.totalMs, 60);
  assert.equal(recorder.steps.last?.soFar?.steps, 6);
  recorder.close();
});

test("the newest step is told by the last whole line, and a line behind it that is damaged or doubled goes", async () => {
  const line = (step: number) => readFileSync(directory.metrics, "utf8").split("\n")[step - 1];
  await live(0, 9);
  for (const behind of ["\0\0\0", '{"step":9,"lo#', line(9), line(6), `\0\n${line(8)}`]) {
    appendFileSync(directory.metrics, `${behind}\n`);
    const recorder = new TestRecorder(directory);
    recorder.steps.goOn();
    assert.equal(recorder.steps.writtenStep, 9);
    assert.equal(recorder.steps.totalMs, 90);
    await recorder.written();
    recorder.close();
    assert.deepEqual(stepsIn(directory.metrics), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }
});

test("a step counts as written once the disk has it, and is there for readers before", async () => {
  const recorder = new TestRecorder(directory);
  await recorder.steps.rewind(0);
  recorder.train(1, 3);
  assert.deepEqual(stepsIn(directory.metrics), [1, 2, 3]);
  assert.equal(recorder.steps.writtenStep, 0);
  while (recorder.steps.writtenStep < 3) await sleep(20);
  recorder.train(4, 5);
  await recorder.written();
  assert.equal(recorder.steps.writtenStep, 5);
  recorder.close();
});

test("a run that wrote no line has an empty file of metrics", async () => {
  await live(0, 0);
  assert.deepEqual(linesIn(directory.metrics), []);
});

test("a run that nobody leads here records nothing, and goes on with it once it does", async () => {
  let leads = false;
  const recorder = new TestRecorder(directory, () => leads);
  recorder.train(1, 2);
  assert.equal(recorder.steps.writtenStep, 0);
  assert.deepEqual(recorder.told, []);
  leads = true;
  await recorder.written();
  recorder.close();
  assert.deepEqual(stepsIn(directory.metrics), [1, 2]);
});

test("a full disk is told in one line that names the file and the remedy, and throws nothing", () => {
  symlinkSync("/dev/full", directory.events);
  const recorder = new TestRecorder(directory);
  recorder.event({ time: "2026-01-01T00:00:00.000Z", event: "a.b", message: "c" });
  recorder.event({ time: "2026-01-01T00:00:00.000Z", event: "a.b", message: "d" });
  assert.equal(recorder.told.length, 1);
  assert.match(recorder.told[0] ?? "", /events\.jsonl: no space left on the disk; free some/);
  recorder.close();
});

test("what cannot be recorded is not waited for once it is given up", async () => {
  symlinkSync("/dev/full", directory.metrics);
  const recorder = new TestRecorder(directory);
  recorder.train(1, 3);
  const written = recorder.written();
  recorder.giveUp();
  await assert.rejects(written, /metrics\.jsonl: no space left on the disk/);
  recorder.train(4, 5);
  recorder.close();
});
