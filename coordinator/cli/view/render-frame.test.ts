import assert from "node:assert/strict";
import test from "node:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { RunState } from "../../../proto/gen/moestro/v1/run_pb.js";
import { ESC } from "./escapes.ts";
import { makeState, makeStatus, makeStep, plan } from "./fixture.ts";
import { renderFrame } from "./render-frame.ts";
import { displayWidth } from "./text.ts";
import { initialState, withEvent, withStep } from "./view-state.ts";

const WIDE = { columns: 80, rows: 24, color: false, unicode: true };
const SMALL = { columns: 40, rows: 12, color: false, unicode: false };

test("80 × 24: everything in its place", () => {
  assert.deepEqual(renderFrame(makeState(), WIDE), [
    "moestro quickstart  running                                         step 120/300",
    "4 ranks: attention on PP 2 × TP 2 × DP 1, experts on EP 2 × ExpertDP 1 by EDP; …",
    "███████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 40.0 %  ETA 1 min 12 s",
    "loss 3.800   validation 2.400   drop 2.23 %   α 0.000800–0.0120",
    "tokens/s 10,240   MFU 41.2 %   step 400 ms   grad norm 0.50   lr 0.00200",
    "loss    █████▇▇▇▇▇▇▇▇▇▇▇▆▆▆▆▆▆▆▆▆▆▅▅▅▅▅▅▅▅▅▅▄▄▄▄▄▄▄▄▄▄▃▃▃▃▃▃▃▃▃▃▂▂▂▂▂▂▂▂▂▂▂▁▁▁▁▁",
    "",
    "drop    █▅▃▂▂▁  0.40 %–6.00 %",
    "α       █▅▃▂▂▁  0.000800–0.0120",
    "",
    "stage 0 4 layers   ████████████████████████████▒▒▒▒▒  300 + 50 ms  512 MiB",
    "stage 1 2 layers   ███████████████████▒▒▒▒  200 + 40 ms  256 MiB",
    "",
    "05:30:00 run.starting  Starting 4 ranks.",
    "05:30:05 run.running  All 4 ranks stand.",
    "05:30:50 checkpoint.committed  Step 100 is committed.",
    "Ctrl-C: checkpoint and stop, twice: stop at once",
  ]);
});

test("40 × 12 in ASCII: the most important of it", () => {
  assert.deepEqual(renderFrame(makeState(), SMALL), [
    "quickstart  running         step 120/300",
    "#######.......... 40.0 %  ETA 1 min 12 s",
    "loss 3.800   validation 2.400",
    "drop 2.23 %   alpha 0.000800-0.0120",
    "loss    ###****+++++====----:::::....___",
    "drop    #=:.._  0.40 %-6.00 %",
    "alpha   #=:.._  0.000800-0.0120",
    "stage 0 ###-  300 + 50 ms",
    "stage 1 ##-  200 + 40 ms",
    "05:30:50 checkpoint.committed  Step 100~",
    "Ctrl-C: checkpoint and stop, twice: sto~",
  ]);
});

test("before the first step the reason and the events stand in for figures", () => {
  const event = { time: "2026-11-24T05:30:00Z", event: "rank.started", message: "rank 0 started" };
  const status = { ...makeStatus(0, RunState.STARTING), reason: "starting the agent" };
  const state = { ...withEvent(initialState("demo", plan), event), status };
  assert.deepEqual(renderFrame(state, WIDE), [
    "moestro demo  starting                                                step 0/300",
    "starting the agent",
    "",
    "05:30:00 rank.started  rank 0 started",
    "Ctrl-C: checkpoint and stop, twice: stop at once",
  ]);
});

test("nothing heard yet is a frame too", () => {
  assert.deepEqual(renderFrame(initialState("demo", plan), WIDE), [
    "moestro demo  starting",
    "Ctrl-C: checkpoint and stop, twice: stop at once",
  ]);
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
  assert.ok(colored[0]?.includes(`${ESC}[32mrunning${ESC}[0m`));
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
