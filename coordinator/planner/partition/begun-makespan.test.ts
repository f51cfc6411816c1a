import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makespan1F1B } from "../schedule/simulate-1f1b.ts";
import { begunMakespanMs } from "./begun-makespan.ts";

const stage = fc.record({
  forward: fc.integer({ min: 0, max: 9 }),
  backward: fc.integer({ min: 0, max: 18 }),
});

test("the first stages alone take no longer than all, and as long when they are all", () => {
  fc.assert(
    fc.property(
      fc.array(stage, { minLength: 1, maxLength: 7 }),
      fc.integer({ min: 1, max: 12 }),
      fc.oneof(fc.constant(0), fc.double({ min: 0, max: 5, noNaN: true })),
      (times, microBatches, p2pMs) => {
        const stages = times.length;
        const forward = times.map((each) => each.forward);
        const backward = times.map((each) => each.backward);
        const all = makespan1F1B(forward, backward, microBatches, p2pMs);
        for (let count = 1; count <= stages; count++) {
          const rest = times.slice(count).reduce((sum, t) => sum + t.forward + t.backward, 0);
          const begun = begunMakespanMs(
            forward.slice(0, count),
            backward.slice(0, count),
            rest + 2 * p2pMs * (stages - count),
            { stages, microBatches, p2pMs },
          );
          assert.ok(begun <= all * (1 + 1e-9) + 1e-9, `${count} of ${stages} stages`);
          if (count === stages) assert.ok(Math.abs(begun - all) <= 1e-9 * all);
        }
      },
    ),
    { numRuns: 5000, seed: 13 },
  );
});
