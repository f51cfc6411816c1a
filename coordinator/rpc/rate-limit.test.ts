import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RateLimit } from "./rate-limit.ts";

const rates = fc.record({
  perSecond: fc.integer({ min: 1, max: 1000 }),
  burst: fc.integer({ min: 1, max: 100 }),
});
const gaps = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 200 });

test("in no stretch of time are more taken than the burst and the rate allow", () => {
  fc.assert(
    fc.property(rates, gaps, (rate, waits) => {
      const limit = new RateLimit(rate);
      const taken: number[] = [];
      let now = 0;
      for (const wait of waits) {
        now += wait;
        if (limit.take("a", now)) taken.push(now);
      }
      for (const [index, from] of taken.entries()) {
        for (const [later, to] of taken.entries()) {
          if (later < index) continue;
          const allowed = rate.burst + ((to - from) * rate.perSecond) / 1000;
          assert.ok(later - index + 1 <= allowed + 1e-6);
        }
      }
    }),
  );
});

test("whoever waits as told is let through, and no later than the rate asks", () => {
  fc.assert(
    fc.property(rates, fc.integer({ min: 1, max: 300 }), (rate, count) => {
      const limit = new RateLimit(rate);
      let now = 0;
      for (let index = 0; index < count; index += 1) now += limit.reserve("a", now);
      const least = (Math.max(0, count - rate.burst) * 1000) / rate.perSecond;
      assert.ok(Math.abs(now - least) < 1e-6);
    }),
  );
});

test("one caller's haste costs no other", () => {
  const limit = new RateLimit({ perSecond: 1, burst: 1 });
  assert.ok(limit.take("a", 0));
  assert.ok(!limit.take("a", 0));
  assert.ok(limit.take("b", 0));
});

test("callers that are long gone are forgotten", () => {
  const limit = new RateLimit({ perSecond: 1000, burst: 1 });
  for (let index = 0; index < 50_000; index += 1) assert.ok(limit.take(`caller ${index}`, index));
  assert.ok(limit.take("caller 0", 50_000));
});
