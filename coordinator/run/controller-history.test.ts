import assert from "node:assert/strict";
import { test } from "node:test";
import { ControllerHistory } from "./controller-history.ts";

const stateOf = (lastStep: number) => ({
  lastStep,
  scheduled: [{ effectiveStep: lastStep + 1, values: [lastStep / 10] }],
});

function historyOf(everySteps: number, steps: number): ControllerHistory {
  const history = new ControllerHistory(stateOf(0), everySteps);
  for (let step = 1; step <= steps; step += 1) history.add(stateOf(step));
  return history;
}

test("a checkpoint that is reported steps later gets the state of its own step", () => {
  const history = historyOf(4, 11);
  assert.deepEqual(history.take(4), stateOf(4));
  assert.deepEqual(history.take(8), stateOf(8));
  assert.deepEqual(history.newest, stateOf(11));
});

test("the checkpoint of a stop is of the newest step, due or not", () => {
  assert.deepEqual(historyOf(4, 11).take(11), stateOf(11));
  assert.deepEqual(historyOf(0, 7).take(7), stateOf(7));
});

test("a checkpoint that somebody asked for gets the state of its step, whichever that is", () => {
  const history = historyOf(4, 11);
  assert.deepEqual(history.take(7), stateOf(7));
  assert.deepEqual(history.take(8), stateOf(8));
});

test("of states long past only those of due checkpoints are kept", () => {
  const history = historyOf(400, 1200);
  assert.equal(history.take(401), undefined);
  assert.deepEqual(historyOf(400, 1200).take(400), stateOf(400));
});

test("what lies before a committed checkpoint is forgotten", () => {
  const history = historyOf(4, 11);
  history.take(8);
  assert.equal(history.take(4), undefined);
});
