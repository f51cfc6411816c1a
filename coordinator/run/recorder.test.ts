import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { MoestroError } from "../errors.ts";
import type { MetricsRecord } from "../report/records.ts";
import { Recorder } from "./recorder.ts";
import { RunDirectory } from "./run-directory.ts";

let directory: RunDirectory;

beforeEach(() => {
  directory = new RunDirectory(mkdtempSync(join(tmpdir(), "moestro-recorder-")));
});
afterEach(() => rmSync(directory.path, { recursive: true }));

const record = (step: number): MetricsRecord => ({
  ...{ step, loss: 5 - step / 10, gradNorm: 1, lr: 0.001, tokens: 64, stepMs: 10 },
  tokensPerSecond: 6400,
  layers: [{ layer: 0, dropRate: 0.1, auxCoeff: 0.01, auxLoss: 0.02, expertLoad: [3, 5] }],
  memory: { peakBytes: 1, stages: [] },
  stages: [],
  time: "2026-01-01T00:00:00.000Z",
});

function recordSteps(lastStep: number, steps: number[]): Recorder {
  const recorder = new Recorder(directory);
  recorder.rewind(lastStep);
  for (const step of steps) recorder.step(record(step));
  recorder.close();
  return recorder;
}

const stepsIn = (path: string) =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as MetricsRecord).step);

test("steps behind the checkpoint a run is resumed from are set aside, not lost", () => {
  recordSteps(0, [1, 2, 3, 4, 5]);
  const resumed = recordSteps(3, [4, 5, 6]);
  assert.deepEqual(stepsIn(directory.metrics), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(stepsIn(directory.supersededMetrics), [4, 5]);
  assert.deepEqual(
    resumed.history.map(({ step }) => step),
    [1, 2, 3, 4, 5, 6],
  );
});

test("a last line that a crash cut short is set aside", () => {
  recordSteps(0, [1, 2]);
  const half = JSON.stringify(record(3)).slice(0, 40);
  writeFileSync(directory.metrics, `${readFileSync(directory.metrics, "utf8")}${half}`);
  recordSteps(2, [3]);
  assert.deepEqual(stepsIn(directory.metrics), [1, 2, 3]);
});

test("a full disk is told in one line that names the file and the remedy", () => {
  symlinkSync("/dev/full", directory.events);
  const recorder = new Recorder(directory);
  recorder.rewind(0);
  assert.throws(
    () => recorder.event({ time: "2026-01-01T00:00:00.000Z", event: "a.b", message: "c" }),
    (error) =>
      error instanceof MoestroError &&
      error.code === "environment" &&
      /events\.jsonl: no space left on the disk; free some/.test(error.message),
  );
  recorder.close();
});
