import assert from "node:assert/strict";
import { test } from "node:test";
import { HangDeadline } from "./hang.ts";

function after(gapsMs: readonly number[]): HangDeadline {
  const deadline = new HangDeadline();
  let now = 1000;
  deadline.step(now, 0);
  for (const gap of gapsMs) {
    now += gap;
    deadline.step(now, 0);
  }
  return deadline;
}

test("the first steps, which compile and warm up, have ten minutes", () => {
  assert.equal(after([]).ms, 600_000);
  assert.equal(after([30_000]).ms, 600_000);
});

test("quick steps have 20 seconds", () => {
  assert.equal(after([100, 100, 120]).ms, 20_000);
});

test("slow steps, and rare slow ones such as those with a validation, have ten times as long", () => {
  const gaps = Array.from({ length: 50 }, (_, index) => (index % 10 === 9 ? 9000 : 3000));
  assert.equal(after(gaps).ms, 90_000);
});

test("one odd step among hundreds does not count", () => {
  const gaps = Array.from({ length: 400 }, (_, index) => (index === 7 ? 600_000 : 4000));
  assert.equal(after(gaps).ms, 40_000);
});

test("the time a coordinator was away is no step's", () => {
  const deadline = after([100, 100]);
  deadline.interrupted();
  deadline.step(1_000_000, 100);
  assert.equal(deadline.ms, 20_000);
});

test("reports that a new coordinator is sent all at once say how long their steps took", () => {
  const deadline = new HangDeadline();
  for (let step = 0; step < 10; step += 1) deadline.step(step, 25_000);
  assert.equal(deadline.ms, 250_000);
});
