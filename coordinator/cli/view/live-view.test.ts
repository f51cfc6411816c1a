import assert from "node:assert/strict";
import test from "node:test";
import { RunState } from "../../../proto/gen/moestro/v1/run_pb.js";
import {
  BEGIN_FRAME,
  END_FRAME,
  ERASE_BELOW,
  ERASE_LINE,
  ESC,
  HIDE_CURSOR,
  SHOW_CURSOR,
} from "./escapes.ts";
import { FakeTerminal, makeStatus, makeStep, plan } from "./fixture.ts";
import { LiveView } from "./live-view.ts";

const ENV = { LANG: "C.UTF-8", NO_COLOR: "1" };
const TOKENS = new RegExp(`${ESC}\\[[?\\d]*[a-zA-Z]|[\\r\\n]|[^${ESC}\\r\\n]+`, "g");
/** Escapes that change nothing on the screen but the cursor's look. */
const QUIET = [HIDE_CURSOR, SHOW_CURSOR, BEGIN_FRAME, END_FRAME, "\r"];

/** What a terminal shows after this text; fails on escapes it does not know. */
function show(text: string): string[] {
  let screen: string[] = [];
  let row = 0;
  let column = 0;
  for (const [token] of text.matchAll(TOKENS)) {
    const line = screen[row] ?? "";
    if (token === "\n") row += 1;
    if (token === "\n" || token === "\r") column = 0;
    if (token === "\n" || QUIET.includes(token)) continue;
    if (token === ERASE_LINE) screen[row] = line.slice(0, column);
    else if (token === ERASE_BELOW) screen = screen.slice(0, row);
    else if (token === `${ESC}[2J`) screen = [];
    else if (token === `${ESC}[H`) row = 0;
    else if (/\[\d+A$/.test(token)) row -= Number.parseInt(token.slice(2), 10);
    else if (token.startsWith(ESC)) assert.fail(`unknown escape ${JSON.stringify(token)}`);
    else {
      screen[row] = line.slice(0, column) + token + line.slice(column + token.length);
      column += token.length;
    }
  }
  return screen;
}

/** How often a part stands in a text. */
function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

function start(): { terminal: FakeTerminal; view: LiveView } {
  const terminal = new FakeTerminal();
  const view = new LiveView({ stream: terminal.asStream, env: ENV, name: "demo", plan });
  return { terminal, view };
}

test("a frame is drawn over the last one, also when it is shorter", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { terminal, view } = start();
  t.mock.timers.tick(1);
  view.status(makeStatus(1));
  view.step(makeStep(1));
  t.mock.timers.tick(300);
  view.status(makeStatus(1, RunState.SUCCEEDED));
  view.close();
  const lines = show(terminal.text);
  assert.match(lines[0] ?? "", /^moestro demo {2}succeeded/);
  assert.equal(lines.filter((line) => line.startsWith("moestro")).length, 1);
  assert.ok(!lines.some((line) => line.includes("Ctrl-C")));
});

test("many steps between two frames cost one frame, and silence none", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { terminal, view } = start();
  t.mock.timers.tick(1);
  const frames = () => count(terminal.text, BEGIN_FRAME);
  assert.equal(frames(), 1);
  for (let step = 1; step <= 50; step += 1) {
    view.status(makeStatus(step));
    view.step(makeStep(step));
  }
  t.mock.timers.tick(300);
  assert.equal(frames(), 2);
  t.mock.timers.tick(60_000);
  assert.equal(frames(), 2);
  view.close();
});

test("after a resize the screen is cleared and drawn at the new size", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { terminal, view } = start();
  view.status(makeStatus(3));
  view.step(makeStep(3));
  t.mock.timers.tick(1);
  terminal.columns = 44;
  terminal.rows = 14;
  terminal.emit("resize");
  t.mock.timers.tick(300);
  const lines = show(terminal.text);
  assert.ok(lines.length <= 13);
  assert.ok(lines.every((line) => line.length <= 44));
  view.close();
});

test("the cursor is hidden while drawing and given back once, on close or on exit", () => {
  const { terminal, view } = start();
  assert.ok(terminal.text.startsWith(HIDE_CURSOR));
  assert.equal(process.listenerCount("exit"), 1);
  process.listeners("exit")[0]?.call(process, 1);
  assert.ok(terminal.text.endsWith(SHOW_CURSOR));
  view.close();
  view.close();
  assert.equal(process.listenerCount("exit"), 0);
  assert.equal(terminal.listenerCount("resize"), 0);
  assert.equal(count(terminal.text, SHOW_CURSOR), 2);
});

test("a terminal that goes away does not end the run", async () => {
  const { terminal, view } = start();
  terminal.destroy(new Error("EIO"));
  await new Promise((resolve) => setImmediate(resolve));
  view.status(makeStatus(1));
  view.close();
  assert.ok(terminal.destroyed);
});
