import assert from "node:assert/strict";
import test from "node:test";
import { chartOfPlan } from "../schedule/chart-of-plan.ts";
import { makePlan } from "./fixture.ts";
import { exportPerfetto, type TraceEvent } from "./perfetto.ts";

const plan = makePlan({
  layers: [3, 4, 3],
  recompute: [["full", "none", "none"], ["full", "full", "full", "full"], Array(3).fill("none")],
});
const chart = chartOfPlan(plan.best);
const { traceEvents: events } = JSON.parse(exportPerfetto(plan, chart)) as {
  traceEvents: TraceEvent[];
};

test("spans on one track lie within or beside each other, never across", () => {
  const tracks = Map.groupBy(
    events.filter((event) => event.ph === "X"),
    ({ pid, tid }) => `${pid}/${tid}`,
  );
  assert.equal(tracks.size, 3);
  for (const spans of tracks.values()) {
    const byStart = spans.toSorted(
      (a, b) => (a.ts ?? 0) - (b.ts ?? 0) || (b.dur ?? 0) - (a.dur ?? 0),
    );
    const open: number[] = [];
    for (const { ts = Number.NaN, dur = Number.NaN } of byStart) {
      assert.ok(dur > 0);
      // A nanosecond of slack: microseconds are fractions.
      while (open.length > 0 && (open.at(-1) as number) <= ts + 1e-3) open.pop();
      assert.ok(open.length === 0 || ts + dur <= (open.at(-1) as number) + 1e-3);
      open.push(ts + dur);
    }
  }
});

test("every forward, backward and recompute of every micro-batch is there, by rank", () => {
  const count = (category: string, pid: number) =>
    events.filter((event) => event.cat === category && event.pid === pid).length;
  for (const rank of [0, 1, 2]) {
    assert.equal(count("forward", rank), 16);
    assert.equal(count("backward", rank), 16);
    assert.equal(count("recompute", rank), rank === 2 ? 0 : 16);
    assert.equal(count("optimizer", rank), 1);
  }
});

test("each rank has its name and a memory counter that ends with what it always holds", () => {
  for (const rank of [0, 1, 2]) {
    const own = events.filter((event) => event.pid === rank);
    assert.equal(
      own.find(({ name }) => name === "process_name")?.args?.name,
      `pipeline rank ${rank}`,
    );
    const counters = own.filter(({ ph }) => ph === "C");
    assert.ok(counters.length > 16);
    const staticBytes = plan.best.stages[rank]?.staticBytes ?? Number.NaN;
    assert.equal(counters.at(-1)?.args?.GiB, staticBytes / 2 ** 30);
  }
});
