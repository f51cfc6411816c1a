import assert from "node:assert/strict";
import { test } from "node:test";
import { byRound, medianOf, ratioText, readRounds } from "./rounds.ts";

const line = (round: number, form: string, ms: number) => JSON.stringify({ round, form, ms });

test("a form that sits rounds out is compared in those it took part in", () => {
  const times = readRounds(
    [
      ...[line(4, "ours", 100), line(4, "slow", 200)],
      ...[line(5, "ours", 30), line(6, "ours", 80), line(6, "slow", 100)],
    ].join("\n"),
  );
  const [ours, slow] = [times.get("ours"), times.get("slow")];
  assert.ok(ours && slow);
  assert.equal(medianOf(ours), 80);
  assert.equal(ratioText(ours, slow), "ratio 0.650 (0.500 to 0.800)");
});

test("a form in no round of the other's has no ratio", () => {
  assert.equal(ratioText(byRound([1, 2]), new Map()), "no round in common");
});
