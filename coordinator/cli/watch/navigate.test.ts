import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { watched } from "./fixture.ts";
import { type Action, actionsOf, withAction } from "./navigate.ts";
import { renderRun } from "./render-run.ts";
import { renderRuns } from "./render-runs.ts";
import { withUpdate } from "./watch-state.ts";

test("arrows, letters and several keys of one chunk are read; the rest is not", () => {
  assert.deepEqual(actionsOf("\u001b[A\u001bOBjk"), ["up", "down", "down", "up"]);
  assert.deepEqual(actionsOf("\r\u001b"), ["open", "back"]);
  assert.deepEqual(actionsOf("\u007f\u0003q"), ["back", "interrupt", "quit"]);
  assert.deepEqual(actionsOf("\u001b[1;5C\u001b[15~xé"), []);
});

test("the cursor stops at both ends, opens the run it is on and comes back to it", () => {
  const state = watched();
  assert.equal(withAction(state, "up").chosen, state.runs[0]?.runId);
  const last = withAction(withAction(state, "last"), "down");
  assert.equal(last.chosen, "broken-data");
  const open = withAction(last, "open");
  assert.equal(open.open?.runId, "broken-data");
  assert.equal(withAction(open, "down"), open, "a run has nothing to choose from");
  const back = withAction(open, "back");
  assert.equal(back.open, undefined);
  assert.equal(back.chosen, "broken-data");
});

test("the cursor stays on its run as the list changes, or where it was", () => {
  const state = withAction(withAction(watched(), "down"), "down");
  assert.equal(state.chosen, "granite-sweep-08");
  const runs = state.runs.toReversed();
  assert.equal(withUpdate(state, { kind: "runs", runs }).chosen, "granite-sweep-08");
  const gone = state.runs.filter(({ runId }) => runId !== "granite-sweep-08");
  assert.equal(withUpdate(state, { kind: "runs", runs: gone }).chosen, "long-context");
  assert.equal(withUpdate(state, { kind: "runs", runs: [] }).chosen, undefined);
});

test("whatever is typed, something is shown", () => {
  const actions: Action[] = ["up", "down", "first", "last", "open", "back"];
  const size = { columns: 80, rows: 24, color: true, unicode: true };
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...actions)), (pressed) => {
      const state = pressed.reduce(withAction, watched({ steps: 2 }));
      const lines = state.open ? renderRun(state, size) : renderRuns(state, size);
      assert.ok(lines.length > 2);
    }),
    { numRuns: 50 },
  );
});
