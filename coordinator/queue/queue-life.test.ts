import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { agentWith, MINUTE, placedRun, quota, sizesOf, waitingRun } from "./queue-fixture.ts";
import { schedule } from "./schedule.ts";
import type { Action, PlacedRun, WaitingRun } from "./scheduling.ts";
import { numSlotsOf } from "./supply.ts";

const AGENTS = ["a", "b", "c", "d"];
/** Every run fits three of the four agents, and the quotas. */
const LARGEST = 12;
const QUOTAS = quota([["alice", 13]], 14);

const arbitraryArrival = fc.record({
  atMinute: fc.nat(30),
  owner: fc.constantFrom("alice", "bob"),
  priority: fc.nat(3),
  sizes: fc.uniqueArray(fc.integer({ min: 1, max: LARGEST }), { minLength: 1, maxLength: 3 }),
  /** That it has to run, at any size. */
  minutes: fc.integer({ min: 1, max: 10 }),
});

/** The minutes in which one of the agents is away. */
const arbitraryLoss = fc.record({
  agentId: fc.constantFrom(...AGENTS),
  from: fc.nat(60),
  minutes: fc.nat(20),
});

type Arrival = {
  atMinute: number;
  owner: string;
  priority: number;
  sizes: number[];
  minutes: number;
};

/** A queue and its cluster, looked at once a minute. */
class Life {
  waiting: WaitingRun[] = [];
  placed: PlacedRun[] = [];
  numPreempted = 0;
  readonly #arrivals: readonly Arrival[];
  readonly #minutesLeft: number[];

  constructor(arrivals: readonly Arrival[]) {
    this.#arrivals = arrivals;
    this.#minutesLeft = arrivals.map(({ minutes }) => minutes);
  }

  minute(minute: number, lost: string | undefined): void {
    const now = minute * MINUTE;
    this.#train(now, lost);
    for (const [index, { atMinute }] of this.#arrivals.entries()) {
      if (atMinute === minute) this.#queue(String(index), now, {});
    }
    const agents = AGENTS.map((agentId) =>
      agentWith(agentId, { state: agentId === lost ? "lost" : "connected" }),
    );
    const { waiting, placed } = this;
    const state = { waiting, placed, agents, quotas: QUOTAS };
    for (const action of schedule(now, state)) this.#carryOut(action, now);
  }

  /** Runs end, give their slots back, or recover from the loss of an agent. */
  #train(now: number, lost: string | undefined): void {
    this.placed = this.placed.filter(({ runId, placed, isLeaving }) => {
      const left = (this.#minutesLeft[Number(runId)] ?? 0) - 1;
      this.#minutesLeft[Number(runId)] = left;
      const isHit = placed.some(({ agentId }) => agentId === lost);
      if (left === 0) return false;
      if (isHit) this.#queue(runId, now, { isRecovering: true, previous: placed });
      else if (isLeaving) this.#queue(runId, now, {});
      return !isHit && !isLeaving;
    });
  }

  #queue(runId: string, now: number, changes: Partial<WaitingRun>): void {
    const { owner, priority, sizes, atMinute } = this.#arrival(runId);
    const times = { submittedAtMs: atMinute * MINUTE, queuedSinceMs: now };
    this.waiting.push(waitingRun(runId, sizes, { owner, priority, ...times, ...changes }));
  }

  #carryOut(action: Action, now: number): void {
    const { runId, kind } = action;
    if (kind === "wait") return;
    if (kind === "preempt") {
      this.numPreempted += 1;
      this.placed = this.placed.map((run) => ({
        ...run,
        isLeaving: run.isLeaving || run.runId === runId,
      }));
      return;
    }
    const { owner, priority, sizes } = this.#arrival(runId);
    this.waiting = this.waiting.filter((run) => run.runId !== runId);
    this.placed = this.placed.filter((run) => run.runId !== runId);
    const rest = { owner, priority, startedAtMs: now, sizes: sizesOf(sizes) };
    this.placed.push(placedRun(runId, action.placed, rest));
  }

  #arrival(runId: string): Arrival {
    return this.#arrivals[Number(runId)] ?? assert.fail(runId);
  }
}

test("through preemptions, lost agents and growth all runs end, within slots and quotas", () => {
  const arbitraryArrivals = fc.array(arbitraryArrival, { minLength: 1, maxLength: 25 });
  fc.assert(
    fc.property(arbitraryArrivals, fc.option(arbitraryLoss), (arrivals, loss) => {
      const life = new Life(arrivals);
      const isAway = (minute: number) =>
        loss !== null && minute >= loss.from && minute < loss.from + loss.minutes;
      for (let minute = 0; minute < 100 + 20 * arrivals.length; minute++) {
        life.minute(minute, isAway(minute) ? loss?.agentId : undefined);
        const slots = life.placed.flatMap(({ placed }) =>
          placed.flatMap((one) => one.slots.map((slot) => `${one.agentId}${slot}`)),
        );
        assert.equal(new Set(slots).size, slots.length, "no slot has two runs");
        const ofAlice = life.placed.filter(({ owner }) => owner === "alice");
        const inUse = ofAlice.reduce((sum, { placed }) => sum + numSlotsOf(placed), 0);
        assert.ok(slots.length <= 14 && inUse <= 13);
      }
      assert.deepEqual([life.waiting, life.placed], [[], []]);
      assert.ok(life.numPreempted <= arrivals.length, `${life.numPreempted} preemptions`);
    }),
    { numRuns: 300 },
  );
});
