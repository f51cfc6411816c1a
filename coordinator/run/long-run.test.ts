import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  type ControllerOptions,
  type ControllerState,
  createController,
  fold,
} from "../controller/controller.ts";
import { controllerOptions } from "../controller/options.ts";
import type { MetricsRecord } from "../report/records.ts";
import { fixtureJob } from "../spec/job-fixture.ts";
import { holdsState } from "./controller-marks.ts";
import { controllersBehindRecords } from "./controller-state.ts";
import { LineFile } from "./line-file.ts";
import { TestRecorder } from "./recorder-fixture.ts";
import { RunDirectory } from "./run-directory.ts";
import { addStep, NO_STEPS } from "./so-far.ts";

const STEPS = 3000;
const CHECKPOINT = 2950;
/** What one line of a model with many experts has. */
const LINE_BYTES = 20_000;
const COUNTS = "/proc/self/io";

const directory = new RunDirectory(mkdtempSync(join(tmpdir(), "moestro-long-run-")));
const skip = existsSync(COUNTS) ? false : "needs /proc/self/io, to count what is read";
let law: ControllerOptions;
let numLayers: number;
let states: ControllerState[];

/** A run's lines, and the controller as it went through them. */
before(async () => {
  const { job } = await fixtureJob({});
  law = controllerOptions(job);
  numLayers = job.model.layers;
  const file = new LineFile(directory.metrics);
  let soFar = NO_STEPS;
  let state = createController(law, numLayers);
  states = [state];
  for (let step = 1; step <= STEPS; step += 1) {
    const record = recordOf(step);
    soFar = addStep(soFar, record);
    state = fold(law, state, step, record.layers);
    states.push(state);
    const mark = holdsState(step - 1, step) ? { controller: state } : {};
    file.append({ ...record, soFar, ...mark, filler: "x".repeat(LINE_BYTES) });
  }
  file.close();
});
after(() => rmSync(directory.path, { recursive: true }));

test("taking a run over reads the end of its records alone, however long they are", {
  skip,
}, () => {
  const size = statSync(directory.metrics).size;
  const recorder = new TestRecorder(directory);
  let behind: ControllerState[] = [];
  const numRead = bytesRead(() => {
    recorder.steps.goOn();
    const controller = JSON.parse(JSON.stringify(states[CHECKPOINT]));
    const checkpoint = { step: CHECKPOINT, controller };
    behind = controllersBehindRecords(directory, checkpoint, law, numLayers, 100);
  });
  assert.equal(recorder.steps.writtenStep, STEPS);
  assert.equal(recorder.steps.totalMs, 10 * STEPS);
  assert.deepEqual(behind, states.slice(CHECKPOINT));
  assert.ok(numRead < size / 6, `${numRead} of ${size} bytes`);
  recorder.close();
});

test("taking over a run without a checkpoint does not go through all it did either", {
  skip,
}, () => {
  const size = statSync(directory.metrics).size;
  const [first] = states;
  for (const everySteps of [0, 2100]) {
    let behind: ControllerState[] = [];
    const numRead = bytesRead(() => {
      behind = controllersBehindRecords(directory, undefined, law, numLayers, everySteps);
    });
    // A checkpoint that was due may still be on its way, and any of the last steps.
    const due = everySteps > 0 ? [states[everySteps]] : [];
    assert.deepEqual(behind, [first, ...due, ...states.slice(STEPS - 500 + 1)]);
    assert.ok(numRead < size / 3, `${numRead} of ${size} bytes`);
  }
});

test("a run's figures are told from a few of its lines", { skip }, () => {
  const recorder = new TestRecorder(directory);
  const numRead = bytesRead(() => {
    const { steps, firstLoss, finalLoss, ...means } = recorder.steps.figures();
    assert.deepEqual([steps, firstLoss, finalLoss], [STEPS, 9, 9 / STEPS]);
    assert.equal(means.meanDropRateFirst?.toFixed(9), "0.015050000");
    assert.equal(means.meanDropRateLast?.toFixed(9), "0.285050000");
  });
  assert.ok(numRead < 5_000_000, `${numRead} bytes`);
  recorder.close();
});

function recordOf(step: number): MetricsRecord {
  const layers = Array.from({ length: numLayers }, (_, layer) => ({
    ...{ layer, dropRate: step / 10_000, auxCoeff: 0.01, auxLoss: 1 },
    expertLoad: Array<number>(8).fill(4),
  }));
  return {
    ...{ step, loss: 9 / step, gradNorm: 1, lr: 0.001, tokens: 64, stepMs: 10 },
    ...{ tokensPerSecond: 6400, layers, stages: [], time: new Date(step).toISOString() },
    memory: { peakBytes: 1, stages: [] },
  };
}

function bytesRead(body: () => void): number {
  const count = () => Number(/rchar: (\d+)/.exec(readFileSync(COUNTS, "utf8"))?.[1]);
  const before = count();
  body();
  return count() - before;
}
