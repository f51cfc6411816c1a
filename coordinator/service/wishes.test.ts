import assert from "node:assert/strict";
import test from "node:test";
import type { RunLife, RunWish, StoredRun } from "../store/store.ts";
import { settled } from "./wishes.ts";

const LIFE: RunLife = {
  ...{ state: "queued", reason: "waits for 4 slots", placed: [], plan: null },
  ...{ restarts: 2, countedRestarts: 1, stepsLost: 3, startedAtMs: 5, exitCode: 0 },
};

function become(state: RunLife["state"], phase: RunWish["phase"]) {
  const wish = { phase } as RunWish;
  return settled({ wish, life: { ...LIFE, state } } as StoredRun);
}

test("a run without ranks that is to stop has ended, and one that is held back waits again", () => {
  assert.equal(become("queued", "stop")?.state, "stopped");
  assert.equal(become("suspended", "kill")?.state, "stopped");
  assert.equal(become("queued", "suspend")?.state, "suspended");
  assert.equal(become("suspended", "run")?.state, "queued");
});

test("what is wished already changes nothing, and what was counted stays", () => {
  assert.equal(become("queued", "run"), undefined);
  assert.equal(become("suspended", "suspend"), undefined);
  const next = become("queued", "suspend");
  assert.deepEqual([next?.restarts, next?.countedRestarts, next?.stepsLost], [2, 1, 3]);
});
