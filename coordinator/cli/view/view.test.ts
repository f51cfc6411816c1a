import assert from "node:assert/strict";
import test from "node:test";
import { FakeTerminal, makeStatus, makeStep, plan, summary } from "./fixture.ts";
import { chooseMode, describeScreen, hasUnicode } from "./terminal.ts";
import { createView, type View, type ViewOptions } from "./view.ts";

const event = {
  time: "2026-11-24T05:30:00.000Z",
  event: "run.running",
  message: "All stand\u001b[1m.\n",
};

function start(options: Pick<ViewOptions, "mode"> & Partial<ViewOptions>): {
  terminal: FakeTerminal;
  view: View;
} {
  const terminal = new FakeTerminal();
  const env = { LANG: "C.UTF-8" };
  return {
    terminal,
    view: createView({ stream: terminal.asStream, env, name: "demo", plan, ...options }),
  };
}

function tell(view: View, ...steps: number[]): void {
  for (const step of steps) {
    view.status(makeStatus(step));
    view.step(makeStep(step));
  }
}

test("plain: a line for each event and for the first step, then after a while", () => {
  const { terminal, view } = start({ mode: "plain" });
  view.event(event);
  tell(view, 1, 2, 3);
  view.close();
  assert.equal(
    terminal.text,
    "2026-11-24T05:30:00.000Z run.running: All stand. \n" +
      "2026-11-24T05:30:59.000Z step 1/300  loss 4.990  validation 2.400  drop 2.23 %  α 0.000800–0.0120  tokens/s 10,240  MFU 41.2 %  grad norm 0.50  lr 0.00200  ETA 1 min 12 s\n",
  );
});

test("plain: every so many steps, each validation and the last step", () => {
  const { terminal, view } = start({ mode: "plain", everySteps: 10 });
  tell(view, 1, 2, 9, 10, 11);
  view.status(makeStatus(12));
  view.step({ ...makeStep(12), validationLoss: 2.4 });
  tell(view, 299, 300);
  const steps = terminal.text.match(/step \d+/g);
  assert.deepEqual(steps, ["step 1", "step 10", "step 12", "step 300"]);
});

test("plain: an interval of nothing tells every step, and ASCII where there is no UTF-8", () => {
  const { terminal, view } = start({ mode: "plain", intervalMs: 0, env: { LANG: "C" } });
  tell(view, 1, 2, 3);
  assert.equal(terminal.text.split("\n").length, 4);
  assert.match(terminal.text, /alpha 0\.000800-0\.0120/);
  assert.match(terminal.text, /^[\n\u0020-\u007e]*$/);
});

test("json: each step, event and the summary is one object a line, as recorded", () => {
  const { terminal, view } = start({ mode: "json" });
  view.event({ ...event, type: "hidden" });
  tell(view, 1);
  view.summary(summary);
  view.close();
  const lines = terminal.text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(lines, [
    { ...event, type: "event" },
    { ...makeStep(1), type: "step" },
    { ...summary, type: "summary" },
  ]);
});

test("the live view is chosen for a terminal that can be drawn on, JSON when asked for", () => {
  const { asStream } = new FakeTerminal();
  const pipe = Object.assign(new FakeTerminal(), { isTTY: false }).asStream;
  assert.equal(chooseMode(false, asStream, { TERM: "xterm" }), "live");
  assert.equal(chooseMode(false, asStream, { TERM: "dumb" }), "plain");
  assert.equal(chooseMode(false, pipe, { TERM: "xterm" }), "plain");
  assert.equal(chooseMode(true, asStream, {}), "json");
});

test("NO_COLOR and the locale are respected", () => {
  const { asStream } = new FakeTerminal();
  assert.deepEqual(describeScreen(asStream, { LANG: "en_US.UTF-8" }), {
    columns: 80,
    rows: 24,
    color: true,
    unicode: true,
  });
  assert.equal(describeScreen(asStream, { NO_COLOR: "1" }).color, false);
  assert.equal(describeScreen(asStream, { NO_COLOR: "" }).color, true);
  assert.equal(hasUnicode({ LC_ALL: "C", LANG: "en_US.UTF-8" }), false);
  assert.equal(hasUnicode({ LC_CTYPE: "C.utf8" }), true);
  assert.equal(hasUnicode({}), false);
});
