import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { agentWith, placedRun, waitingRun } from "./queue-fixture.ts";
import { schedule } from "./schedule.ts";
import type { PlacedRun, WaitingRun } from "./scheduling.ts";

const MINUTE = 60_000;
const STARVATION_MS = 10 * MINUTE;
/** No run of the simulation takes longer, in minutes. */
const LONGEST = 20;
const AGENTS = ["a", "b", "c"].map((agentId) => agentWith(agentId));
const NUM_SLOTS = 12;

type Arrival = { atMinute: number; size: number; minutes: number };

/** The minute that each run starts in, as the queue is looked at once a minute. */
function simulate(
  arrivals: readonly Arrival[],
  minutes: number,
  starvationMs = STARVATION_MS,
): Map<string, number> {
  const starts = new Map<string, number>();
  let waiting: WaitingRun[] = [];
  let placed: PlacedRun[] = [];
  const lasts = (runId: string) => arrivals[Number(runId)]?.minutes ?? 0;
  for (let minute = 0; minute < minutes; minute++) {
    const now = minute * MINUTE;
    placed = placed.filter(({ runId, startedAtMs }) => now - startedAtMs < lasts(runId) * MINUTE);
    for (const [index, { atMinute, size }] of arrivals.entries()) {
      const times = { submittedAtMs: now, queuedSinceMs: now };
      if (atMinute === minute) waiting.push(waitingRun(String(index), [size], times));
    }
    const quotas = { byOwner: new Map(), total: undefined };
    const state = { waiting, placed, agents: AGENTS, quotas };
    for (const action of schedule(now, state, { starvationMs })) {
      if (action.kind !== "start") continue;
      starts.set(action.runId, minute);
      waiting = waiting.filter(({ runId }) => runId !== action.runId);
      placed.push(placedRun(action.runId, action.placed, { startedAtMs: now }));
    }
  }
  return starts;
}

test("a run that needs all slots starts, however many small ones come after it", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          atMinute: fc.nat(60),
          size: fc.integer({ min: 1, max: 4 }),
          minutes: fc.integer({ min: 1, max: LONGEST }),
        }),
        { minLength: 20, maxLength: 100 },
      ),
      fc.nat(10),
      (small, atMinute) => {
        const head = { atMinute, size: NUM_SLOTS, minutes: 5 };
        const before = small.filter((one) => one.atMinute < atMinute);
        const starts = simulate([...small, head], 300);
        const started = starts.get(String(small.length));
        assert.ok(started !== undefined);
        // Those before it start within as long again, and it waits for the last of them.
        const bound = atMinute + STARVATION_MS / MINUTE + (before.length + 1) * LONGEST;
        assert.ok(started <= bound, `it came at ${atMinute} and started at ${started}`);
        if (before.length === 0) {
          assert.ok(started <= atMinute + STARVATION_MS / MINUTE + 1 + LONGEST);
        }
      },
    ),
  );
});

test("every run of a queue of all sizes starts in the end", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          atMinute: fc.nat(60),
          size: fc.integer({ min: 1, max: NUM_SLOTS }),
          minutes: fc.integer({ min: 1, max: LONGEST }),
        }),
        { minLength: 1, maxLength: 40 },
      ),
      (arrivals) => {
        const last = 60 + arrivals.length * LONGEST + STARVATION_MS / MINUTE;
        assert.equal(simulate(arrivals, last).size, arrivals.length);
      },
    ),
  );
});

test("without an end to its patience, small ones would keep a large one waiting", () => {
  const small = [...Array(200).keys()].map((minute) => ({ atMinute: minute, size: 4, minutes: 3 }));
  const head = { atMinute: 3, size: NUM_SLOTS, minutes: 5 };
  const started = (starvationMs: number) =>
    simulate([...small, head], 200, starvationMs).get(String(small.length));
  assert.equal(started(Number.POSITIVE_INFINITY), undefined);
  assert.equal(started(STARVATION_MS), 16);
});
