import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { RunState, RunStatusSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { printTable } from "./print.ts";
import { formatAge, RUN_HEADING, runRow } from "./run-table.ts";
import { runLine, runText } from "./run-text.ts";

const UNBORN = create(RunStatusSchema, {
  ...{ runId: "r", state: RunState.QUEUED, reason: "waits\nfor \u001b[2J4 slots" },
  ...{ minRanks: 2, maxRanks: 4 },
});

test("a run that has made no step has no loss, no figures and no goodput", () => {
  assert.equal(runRow(UNBORN, 0).length, RUN_HEADING.length);
  assert.deepEqual(runRow(UNBORN, 0).slice(2, 5), ["0/0", "–", "0 of 2–4"]);
  const text = runText(UNBORN, 0).join("\n");
  assert.match(text, /\n {2}layout +none yet\n/);
  assert.match(text, /\n {2}goodput +–\n/);
  assert.doesNotMatch(text, /loss|tokens/);
});

test("what others wrote cannot steer the terminal", (t) => {
  const log = t.mock.method(console, "log", () => {});
  printTable(RUN_HEADING, [runRow(UNBORN, 0)]);
  log.mock.restore();
  const lines = log.mock.calls.map(({ arguments: [line] }) => String(line));
  const shown = [...lines, runLine(UNBORN), ...runText(UNBORN, 0)];
  assert.ok(shown.some((line) => line.includes("waits for 4 slots")));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  for (const line of shown) assert.doesNotMatch(line, /[\u0000-\u001f]/);
});

test("on a terminal a table's lines end at its edge", (t) => {
  const log = t.mock.method(console, "log", () => {});
  printTable(["run", "why"], [["r", "a long story"]], 10);
  log.mock.restore();
  const lines = log.mock.calls.map(({ arguments: [line] }) => String(line));
  assert.deepEqual(lines, ["run  why", "r    a lon"]);
});

test("an age is never negative, and none where the time is not known", () => {
  assert.equal(formatAge(5000n, 4000), "0 ms");
  assert.equal(formatAge(0n, 4000), "–");
});
