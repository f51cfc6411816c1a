import assert from "node:assert/strict";
import test from "node:test";
import { RunState } from "../../../proto/gen/moestro/v1/run_pb.js";
import { FakeTerminal, makeStatus, makeStep, plan } from "./fixture.ts";
import { LiveView } from "./live-view.ts";

const ENV = { LANG: "C.UTF-8", NO_COLOR: "1" };
const FRAME = /\u001b\[\?2026h/g;

/** What a terminal shows after this text; fails on escapes it does not know. */
function show(text: string): string[] {
  const screen: string[] = [""];
  let row = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what is interpreted.
  for (const [token, up] of text.matchAll(
    /\u001b\[(\d+)A|\u001b\[[?\d]*[a-zA-Z]|[\r\n]|[^\u001b\r\n]+/g,
  )) {
    if (up !== undefined) row -= Number(up);
    else if (token === "\n") row += 1;
    else if (token === "\u001b[K") screen[row] = (screen[row] ?? "").slice(0, written(screen[row]));
    else if (token === "\u001b[J") screen.length = row;
    else if (token === "\u001b[2J") screen.length = 0;
    else if (token === "\u001b[H") row = 0;
    else if (token === "\r" || /^\u001b\[\?(25|2026)[hl]$/.test(token)) continue;
    else if (token.startsWith("\u001b")) assert.fail(`unknown escape ${JSON.stringify(token)}`);
    else screen[row] = token;
  }
  return screen;
}

/** Every line is written from its start, so all of it is new. */
function written(line = ""): number {
  return line.length;
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
  const frames = () => terminal.text.match(FRAME)?.length ?? 0;
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

test("showing a step costs under a millisecond on average", () => {
  const { view } = start();
  const startMs = performance.now();
  for (let step = 1; step <= 300; step += 1) {
    view.status(makeStatus(step));
    view.step(makeStep(step));
  }
  view.close();
  assert.ok((performance.now() - startMs) / 300 < 1);
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
  assert.match(terminal.text, /^\u001b\[\?25l/);
  assert.equal(process.listenerCount("exit"), 1);
  process.listeners("exit")[0]?.call(process, 1);
  assert.match(terminal.text, /\u001b\[\?25h$/);
  view.close();
  view.close();
  assert.equal(process.listenerCount("exit"), 0);
  assert.equal(terminal.listenerCount("resize"), 0);
  assert.equal(terminal.text.match(/\u001b\[\?25h/g)?.length, 2);
});

test("a terminal that goes away does not end the run", async () => {
  const { terminal, view } = start();
  terminal.destroy(new Error("EIO"));
  await new Promise((resolve) => setImmediate(resolve));
  view.status(makeStatus(1));
  view.close();
  assert.ok(terminal.destroyed);
});
