import assert from "node:assert/strict";
import { test } from "node:test";
import { canTransition, isEnded, isRunState, type RunState } from "./run-state.ts";

const STATES: RunState[] = ["starting", "running", "stopping", "succeeded", "stopped", "failed"];

test("nothing happens to a run that has ended", () => {
  for (const from of STATES.filter(isEnded)) {
    for (const to of STATES) assert.equal(canTransition(from, to), false, `${from} to ${to}`);
  }
});

test("every state leads to an end", () => {
  for (const state of STATES.filter((one) => !isEnded(one))) {
    assert.ok(STATES.filter(isEnded).some((end) => canTransition(state, end)));
  }
});

test("names from a file are checked", () => {
  assert.ok(isRunState("running"));
  assert.ok(!isRunState("toString"));
});
