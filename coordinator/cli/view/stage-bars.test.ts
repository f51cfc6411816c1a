import assert from "node:assert/strict";
import test from "node:test";
import { makeStatus } from "./fixture.ts";
import { renderLine } from "./line.ts";
import { stageBars } from "./stage-bars.ts";

const screen = { columns: 80, rows: 24, color: false, unicode: true };
const textOf = (rankOfStage?: readonly number[]) =>
  stageBars(makeStatus(1), 8, screen, rankOfStage).map((line) => renderLine(line, screen));

test("a stage's line says which rank holds it where ranks hold several", () => {
  assert.match(textOf()[1] ?? "", /^stage 1 2 layers/);
  assert.match(textOf([0, 1])[1] ?? "", /^stage 1 {2}on rank 1 2 layers/);
  assert.ok([...textOf(), ...textOf([0, 1])].every((line) => line.length <= screen.columns));
});
