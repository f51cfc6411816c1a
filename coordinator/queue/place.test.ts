import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Placed } from "../store/store.ts";
import { place } from "./place.ts";
import { SlotPool } from "./slot-pool.ts";
import { numSlotsOf } from "./supply.ts";

const upTo = (count: number) => Array.from({ length: count }, (_, slot) => slot);

/** A pool of agents a, b, c … with so many free slots. */
function poolOf(...counts: number[]): SlotPool {
  const pool = new SlotPool();
  pool.add(counts.map((count, index) => ({ agentId: letter(index), slots: upTo(count) })));
  return pool;
}

const letter = (index: number) => String.fromCharCode(97 + index);

function told(placed: readonly Placed[] | undefined): string {
  return (placed ?? []).map(({ agentId, slots }) => agentId + slots.join("")).join(" ");
}

const size = (numRanks: number, tensorParallel = 1) => ({ numRanks, tensorParallel });

const CASES: [sentence: string, placed: Placed[] | undefined, expected: string][] = [
  ["one agent is better than two", place(size(4), poolOf(2, 2, 4)), "c0123"],
  ["the hole that fits is better than a larger one", place(size(2), poolOf(8, 3, 2)), "c01"],
  ["few agents, and the rest where it fits", place(size(10), poolOf(8, 4, 2)), "a01234567 c01"],
  ["a tensor-parallel group stays on one agent", place(size(4, 2), poolOf(3, 3)), "a01 b01"],
  ["unless it has to be cut", place(size(4, 4), poolOf(3, 3)), "a012 b0"],
  [
    "a run stays in its slots, though fewer agents would do",
    place(size(4), poolOf(2, 4, 2), [
      { agentId: "c", slots: [0, 1] },
      { agentId: "a", slots: [0, 1] },
    ]),
    "c01 a01",
  ],
  [
    "also where one of its agents had room for all of it",
    place(size(4), poolOf(4, 4), [
      { agentId: "a", slots: [0, 1] },
      { agentId: "b", slots: [2, 3] },
    ]),
    "a01 b23",
  ],
  [
    "a new agent takes the place of one that is gone, and its ranks their numbers",
    place(size(6), poolOf(2, 2, 2), [
      { agentId: "a", slots: [0, 1] },
      { agentId: "z", slots: [0, 1] },
      { agentId: "c", slots: [0, 1] },
    ]),
    "a01 b01 c01",
  ],
  [
    "a smaller size stays where most was",
    place(size(3), poolOf(4, 4), [
      { agentId: "a", slots: [1] },
      { agentId: "b", slots: [1, 2, 3] },
    ]),
    "b123",
  ],
  [
    "a larger size takes more of the same agents first",
    place(size(6), poolOf(8, 4, 1), [{ agentId: "b", slots: [2, 3] }]),
    "b0123 a01",
  ],
];

for (const [sentence, placed, expected] of CASES) {
  test(sentence, () => assert.equal(told(placed), expected));
}

const arbitraryPlacement = fc.record({
  counts: fc.array(fc.nat(8), { minLength: 1, maxLength: 12 }),
  numRanks: fc.integer({ min: 1, max: 40 }),
  tensorParallel: fc.constantFrom(1, 2, 4),
  previous: fc.uniqueArray(
    fc.record({
      agentId: fc.nat(14).map(letter),
      slots: fc.uniqueArray(fc.nat(9), { minLength: 1 }),
    }),
    { selector: ({ agentId }) => agentId },
  ),
});

test("exactly as many free slots as ranks, no agent twice, or none if there are too few", () => {
  fc.assert(
    fc.property(arbitraryPlacement, ({ counts, previous, ...wanted }) => {
      const pool = poolOf(...counts);
      const before = pool.total;
      const placed = place(wanted, pool, previous);
      assert.equal(pool.total, before);
      assert.equal(placed === undefined, before < wanted.numRanks);
      if (!placed) return;
      assert.equal(numSlotsOf(placed), wanted.numRanks);
      assert.equal(new Set(placed.map(({ agentId }) => agentId)).size, placed.length);
      for (const { agentId, slots } of placed) {
        assert.ok(slots.length > 0 && slots.length === new Set(slots).size);
        assert.ok(slots.every((slot) => pool.slots(agentId).includes(slot)));
      }
      pool.remove(placed);
      assert.equal(pool.total, before - wanted.numRanks);
    }),
  );
});

test("no tensor-parallel group spans agents where there is another way", () => {
  fc.assert(
    fc.property(arbitraryPlacement, ({ counts, previous, numRanks, tensorParallel }) => {
      const whole = numRanks * tensorParallel;
      const groups = counts.reduce((sum, count) => sum + Math.floor(count / tensorParallel), 0);
      const placed = place({ numRanks: whole, tensorParallel }, poolOf(...counts), previous);
      if (groups < numRanks) return;
      assert.ok(placed?.every(({ slots }) => slots.length % tensorParallel === 0));
    }),
  );
});

test("a run that can be where it was is there again", () => {
  fc.assert(
    fc.property(arbitraryPlacement, ({ counts, numRanks }) => {
      const before = place(size(numRanks), poolOf(...counts));
      if (!before) return;
      const pool = poolOf(...counts, 8, 8);
      assert.deepEqual(place(size(numRanks), pool, before), before);
    }),
  );
});

test("the fewest agents are taken", () => {
  fc.assert(
    fc.property(arbitraryPlacement, ({ counts, numRanks }) => {
      const placed = place(size(numRanks), poolOf(...counts));
      if (!placed) return;
      const largest = counts.toSorted((a, b) => b - a).slice(0, placed.length - 1);
      assert.ok(largest.reduce((sum, count) => sum + count, 0) < numRanks);
    }),
  );
});
