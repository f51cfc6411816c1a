import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { shareRows } from "./share-rows.ts";

const part = fc.record({ least: fc.nat(6), most: fc.nat(40) });

test("no part has more than it can show, or less than is worth showing, and all fit", () => {
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 6 }),
      fc.integer({ min: -3, max: 60 }),
      (parts, budget) => {
        const rows = shareRows(parts, budget);
        assert.ok(rows.reduce((sum, one) => sum + one, 0) <= Math.max(0, budget));
        for (const [i, { least, most }] of parts.entries()) {
          const own = rows[i] ?? -1;
          assert.ok(own === 0 || (own >= Math.min(least, most) && own <= most));
        }
      },
    ),
  );
});

test("where there is room, every part has all it wants", () => {
  const parts = [
    { least: 3, most: 7 },
    { least: 2, most: 0 },
    { least: 1, most: 8 },
  ];
  assert.deepEqual(shareRows(parts, 15), [7, 0, 8]);
});

test("where there is none for all, those in front go first", () => {
  assert.deepEqual(
    shareRows(
      [
        { least: 3, most: 7 },
        { least: 2, most: 4 },
      ],
      4,
    ),
    [4, 0],
  );
});
