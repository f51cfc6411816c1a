import assert from "node:assert/strict";
import { test } from "node:test";
import { canTransition, isEnded, isPlaced, isRunState, type RunState } from "./run-state.ts";

const STATES: RunState[] = [
  ...(["queued", "starting", "running", "recovering", "suspending", "suspended"] as const),
  ...(["stopping", "succeeded", "stopped", "failed"] as const),
];

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

test("a run waits for slots before it starts, and holds none while it waits", () => {
  for (const to of STATES.filter(isPlaced)) {
    assert.equal(canTransition("queued", to), to === "starting", `queued to ${to}`);
    assert.equal(canTransition("suspended", to), false, `suspended to ${to}`);
  }
});

test("names from a file are checked", () => {
  assert.ok(isRunState("running"));
  assert.ok(!isRunState("toString"));
});
