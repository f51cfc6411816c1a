import assert from "node:assert/strict";
import test from "node:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { RunState } from "../../../proto/gen/moestro/v1/run_pb.js";
import { makeState, makeStatus, makeStep, plan } from "./fixture.ts";
import { renderFrame } from "./render-frame.ts";
import { displayWidth } from "./text.ts";
import { initialState, withEvent, withStep } from "./view-state.ts";

const WIDE = { columns: 80, rows: 24, color: false, unicode: true };
const SMALL = { columns: 40, rows: 12, color: false, unicode: false };

test("80 × 24: everything in its place", () => {
  assert.deepEqual(renderFrame(makeState(), WIDE), []);
});

test("40 × 12 in ASCII: the most important of it", () => {
  assert.deepEqual(renderFrame(makeState(), SMALL), []);
});

test("before the first step the reason and the events stand in for figures", () => {
  const event = { time: "2026-11-24T05:30:00Z", event: "rank.started", message: "rank 0 started" };
  const status = { ...makeStatus(0, RunState.STARTING), reason: "starting the agent" };
  const state = { ...withEvent(initialState("demo", plan), event), status };
  assert.deepEqual(renderFrame(state, WIDE), []);
});

test("nothing heard yet is a frame too", () => {
  assert.deepEqual(renderFrame(initialState("demo", plan), WIDE), []);
});

test("an ended run has no ETA and no hint, and says why it ended", () => {
  const status = { ...makeStatus(120, RunState.FAILED), reason: "rank 2 died" };
  const lines = renderFrame({ ...makeState(), status }, WIDE);
  assert.match(lines[0] ?? "", /^moestro quickstart {2}failed .* step 120\/300$/);
  assert.equal(lines[1], "rank 2 died");
  assert.doesNotMatch(lines.join("\n"), /ETA|Ctrl-C/);
});

test("a long or hostile event message is one clipped line", () => {
  const time = "2026-11-24T05:30:00Z";
  const say = (message: string) =>
    renderFrame(withEvent(makeState(), { time, event: "log", message }), WIDE).at(-2);
  assert.equal(say("x".repeat(10_000)), `05:30:00 log  ${"x".repeat(65)}…`);
  assert.equal(say("漢".repeat(500)), `05:30:00 log  ${"漢".repeat(32)}…`);
  assert.equal(say("a\u001b[31mb\nc"), "05:30:00 log  ab c");
});

test("colour adds escapes and changes nothing else", () => {
  const plain = renderFrame(makeState(), WIDE);
  const colored = renderFrame(makeState(), { ...WIDE, color: true });
  assert.deepEqual(colored.map(stripVTControlCharacters), plain);
  assert.match(colored[0] ?? "", /\u001b\[32mrunning\u001b\[0m/);
});

test("more stages than lines end in a count of the rest", () => {
  const status = makeStatus(120);
  const [stage] = status.stages;
  assert.ok(stage);
  status.stages = Array.from({ length: 12 }, (_, index) => ({ ...stage, stage: index }));
  const lines = renderFrame({ ...makeState(), status }, { ...WIDE, rows: 18 });
  assert.ok(lines.includes("and 9 more stages"), lines.join("\n"));
});

test("more layers than columns share cells, the worst of each shown", () => {
  const record = makeStep(121);
  const [layer] = record.layers;
  assert.ok(layer);
  record.layers = Array.from({ length: 100 }, (_, index) => ({
    ...layer,
    layer: index,
    dropRate: index === 99 ? 0.08 : 0.01,
  }));
  const lines = renderFrame(withStep(makeState(), record), WIDE);
  assert.ok(lines.includes(`drop    ${"▂".repeat(49)}█  1.00 %–8.00 %`), lines.join("\n"));
});

test("whatever is shown fits the terminal and holds no control characters", () => {
  const sizes = fc.record({
    columns: fc.integer({ min: 40, max: 200 }),
    rows: fc.integer({ min: 1, max: 60 }),
    unicode: fc.boolean(),
  });
  const events = fc.array(fc.string({ unit: "binary", maxLength: 300 }), { maxLength: 12 });
  fc.assert(
    fc.property(sizes, events, fc.string({ unit: "grapheme" }), (size, messages, name) => {
      let state = { ...makeState(), name };
      for (const message of messages)
        state = withEvent(state, { time: message, event: name, message });
      const lines = renderFrame(state, { ...size, color: false });
      assert.ok(lines.length <= Math.max(1, size.rows - 1));
      for (const line of lines) {
        assert.ok(displayWidth(line) <= size.columns, line);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there.
        assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f]/);
      }
    }),
  );
});
