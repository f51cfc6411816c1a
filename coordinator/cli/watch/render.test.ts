import assert from "node:assert/strict";
import test from "node:test";
import { stripVTControlCharacters } from "node:util";
import { clone } from "@bufbuild/protobuf";
import fc from "fast-check";
import {
  RankStatusSchema,
  RunState,
  RunStatusSchema,
} from "../../../proto/gen/moestro/v1/run_pb.js";
import { displayWidth } from "../view/text.ts";
import { runningAt, watched } from "./fixture.ts";
import { renderRun, stageBalance } from "./render-run.ts";
import { renderRuns } from "./render-runs.ts";
import { initialWatch, openRun, withUpdate } from "./watch-state.ts";

const SIZE = { columns: 80, rows: 24, color: false, unicode: true };
const ALL = watched();
const ONE = watched({ open: true });

test("80 × 24: all runs, the cursor's with why it is as it is", () => {
  assert.deepEqual(renderRuns(ALL, SIZE), [
    "moestro watch                                                     127.0.0.1:7070",
    "runs    1 running  2 queued  1 suspended  1 succeeded  1 failed  ",
    "agents  2 connected  1 silent  1 lost  6/8 slots used",
    "",
    "  run                           state         step   loss         ETA  ranks",
    "> skywork-tiny-20261124-053000  running    120/300  2.669  1 min 12 s      6  ",
    "  granite-sweep-07              queued       0/400                            ",
    "  granite-sweep-08              queued       0/400                            ",
    "  long-context                  suspended    0/400                            ",
    "  granite-sweep-06              succeeded  400/400  2.318                     ",
    "  broken-data                   failed       0/400                            ",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "all ranks stand, training goes on with step 101",
    "↑ ↓: choose   enter: open   q: quit",
  ]);
});

test("80 × 24: one run, everything in its place", () => {
  assert.deepEqual(renderRun(ONE, SIZE), [
    "moestro watch                                                     127.0.0.1:7070",
    "skywork-tiny-20261124-053000  running                               step 120/300",
    "all ranks stand, training goes on with step 101",
    "███████████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 40.0 %  ETA 1 min 12 s",
    "loss 2.669   validation 2.710   drop 2.23 %   α 0.000800–0.0120",
    "tokens/s 10,240   MFU 41.2 %   goodput 96.2 %   restarts 2 (1/10)   steps lost 7",
    "generation 2   checkpoint 100   ranks 6   layout edp pp 3 tp 2 ep 2",
    "loss    ███▇▇▇▇▇▇▆▆▆▆▆▆▆▅▅▅▅▅▅▅▅▄▄▄▄▄▄▄▄▄▃▃▃▃▃▃▃▃▃▃▃▃▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁▁▁",
    "layer        drop rate, recent steps   α, recent steps           expert load",
    "layer 0      ▆▅▅▅▅▆▆▇▇▇█████  4.40 %   ▆▅▅▅▅▆▆▇▇▇█████  0.00880  ▄▇▂▅▇▂▅▇▂▅▇▂▅▇▂",
    "layers 1–2   ▃▃▃▄▄▄▄▄▅▅▄▄▄▄▄  1.71 %   ▃▃▃▄▄▄▄▄▅▅▄▄▄▄▄  0.00342  ▆▄▃▆▄▃▆▄▃▆▄▃▆▄▃",
    "layer 3      ▃▃▃▃▃▃▃▂▂▂▂▂▂▂▂  0.67 %   ▃▃▃▃▃▃▃▂▂▂▂▂▂▂▂  0.00135  ▅▄▅▅▄▅▅▄▅▅▄▅▅▄▅",
    "layers 4–5   ▃▂▂▂▂▂▂▂▂▂▂▂▂▂▂  0.75 %   ▃▂▂▂▂▂▂▂▂▂▂▂▂▂▂  0.00150  ▄▄▅▄▄▅▄▄▅▄▄▅▄▄▅",
    "stage   compute + communication, balance 83 %",
    "stage 0 2 layers   ████████████████████████████▒▒▒▒▒  300 + 50 ms  512 MiB",
    "stage 1 2 layers   ███████████████████████▒▒▒▒  240 + 50 ms  512 MiB",
    "stage 2 2 layers   ████████████████████▒▒▒▒▒  210 + 50 ms  512 MiB",
    "agent   state      rank pid",
    "node-a  connected  0 4180  1 4181",
    "node-b  connected  2 4182  3 4183  drained",
    "node-c  silent     4 4184  5 4185",
    "05:31:05 run.running  all ranks stand, training goes on with step 101",
    "05:31:06 run.recovered  trains again 2.9 s after the first sign of the failure",
    "esc: all runs   q: quit",
  ]);
});

test("60 × 16 in ASCII: the most important of it", () => {
  const small = { ...SIZE, columns: 60, rows: 16, unicode: false };
  assert.deepEqual(renderRun(ONE, small), [
    "moestro watch                                 127.0.0.1:7070",
    "skywork-tiny-20261124-053000  running           step 120/300",
    "all ranks stand, training goes on with step 101",
    "###############...................... 40.0 %  ETA 1 min 12 s",
    "loss 2.669   validation 2.710   drop 2.23 %",
    "alpha 0.000800-0.0120   tokens/s 10,240   MFU 41.2 %",
    "goodput 96.2 %   restarts 2 (1/10)   steps lost 7",
    "generation 2   checkpoint 100   ranks 6",
    "layout edp pp 3 tp 2 ep 2",
    "loss    ###****+++++=====-------:::::::::...........________",
    "layer        drop rate, recent  alpha, recent step expert l~",
    "layers 0-1   ***#####  4.40 %   ***#####  0.00880  *..*..*.",
    "layers 2-3   ::::::..  0.87 %   ::::::..  0.00174  -=--=--=",
    "layers 4-5   ........  0.75 %   ........  0.00150  -==-==-=",
    "05:31:06 run.recovered  trains again 2.9 s after the first ~",
    "esc: all runs   q: quit",
  ]);
});

test("a large screen has a line for every layer, all stages, agents and events, set apart", () => {
  const lines = renderRun(ONE, { ...SIZE, columns: 120, rows: 44 });
  for (let layer = 0; layer < 6; layer += 1) {
    assert.ok(lines.some((line) => line.startsWith(`layer ${layer} `)));
  }
  assert.equal(lines.filter((line) => line.startsWith("05:3")).length, 7);
  assert.equal(lines.filter((line) => line === "").length, 4);
});

test("a coordinator that went away is told in the top line, above what was known", () => {
  const link = { phase: "away", why: "host:1: no coordinator answers there", sinceMs: 0 } as const;
  const away = { ...withUpdate(ONE, { kind: "link", link }), nowMs: 3200 };
  const [top, second] = renderRun(away, { ...SIZE, columns: 120 });
  assert.equal(
    top,
    "moestro watch  no coordinator for 3.0 s, trying again: host:1: no coordinator answers there",
  );
  assert.match(second ?? "", /^skywork-tiny.* step 120\/300$/);
});

test("before anything is known it is said that it is not", () => {
  const state = initialWatch(0);
  assert.match(
    renderRuns(state, SIZE).join("\n"),
    /looking for a coordinator\n(?:.*\n)*?Nothing is known/,
  );
  assert.equal(renderRun(openRun(state, "r"), SIZE)[1], "r");
});

test("a run without ranks shows why it waits, and nothing it does not have", () => {
  const state = withUpdate(ALL, { kind: "link", link: { phase: "connecting" } });
  assert.deepEqual(renderRun(openRun(state, "granite-sweep-07"), SIZE).slice(1), [
    "granite-sweep-07  queued                                              step 0/400",
    "waits for 4 slots: 2 of 8 are free, all of lost agents",
    "esc: all runs   q: quit",
  ]);
});

test("where ranks of an agent do not fit with their process ids, they are told without", () => {
  const status = runningAt(1);
  const [first] = status.ranks;
  assert.ok(first);
  status.ranks = Array.from({ length: 8 }, (_, rank) =>
    Object.assign(clone(RankStatusSchema, first), { rank, pid: 1_000_000 + rank }),
  );
  const lines = renderRun(withUpdate(ONE, { kind: "status", status }), SIZE);
  assert.ok(lines.includes("node-a  connected  0–7"));
});

test("stages that take as long as one another are in balance", () => {
  const stages = (...times: number[]) =>
    runningAt(1).stages.map((stage, i) => ({ ...stage, computeMs: times[i] ?? 0 }));
  assert.equal(stageBalance({ stages: stages(200, 200, 200) }), 1);
  assert.equal(stageBalance({ stages: stages(300, 150, 0) }), 0.5);
});

test("without colour there are no escapes, with it they change nothing else", () => {
  for (const draw of [() => renderRun(ONE, SIZE), () => renderRuns(ALL, SIZE)]) {
    assert.ok(!draw().join("").includes("\u001b"));
  }
  const coloured = renderRun(ONE, { ...SIZE, color: true });
  assert.deepEqual(coloured.map(stripVTControlCharacters), renderRun(ONE, SIZE));
});

test("no line is wider than the screen, none too many, and ASCII where that is all there is", () => {
  const size = fc.record({
    columns: fc.integer({ min: 10, max: 250 }),
    rows: fc.integer({ min: 3, max: 100 }),
    color: fc.constant(false),
    unicode: fc.boolean(),
  });
  fc.assert(
    fc.property(size, fc.boolean(), (screen, isOpen) => {
      const lines = isOpen ? renderRun(ONE, screen) : renderRuns(ALL, screen);
      assert.ok(lines.length <= screen.rows, `${lines.length} lines`);
      for (const line of lines) {
        assert.ok(displayWidth(line) <= screen.columns, line);
        assert.ok(screen.unicode || /^[\u0020-\u007e]*$/.test(line), line);
      }
    }),
  );
});

test("the cursor is in sight in a list longer than the screen", () => {
  const runs = Array.from({ length: 200 }, (_, i) => {
    const run = clone(RunStatusSchema, runningAt(1));
    return Object.assign(run, { runId: `run-${i}`, state: RunState.QUEUED });
  });
  for (const i of [0, 99, 199]) {
    const state = { ...withUpdate(ALL, { kind: "runs", runs }), chosen: `run-${i}` };
    const lines = renderRuns(state, SIZE);
    assert.equal(lines.length, 24);
    assert.ok(lines.some((line) => line.startsWith(`> run-${i} `)));
  }
});
