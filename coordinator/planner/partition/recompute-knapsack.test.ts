import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { greedyRecompute } from "./greedy-recompute.ts";
import type { PartitionLayer } from "./problem.ts";
import { layerClasses } from "./recompute-choices.ts";
import { RecomputeKnapsack } from "./recompute-knapsack.ts";
import { classItem } from "./relaxed-knapsack.ts";

const layer: fc.Arbitrary<PartitionLayer> = fc
  .array(
    fc.record({
      extraBackwardMs: fc.integer({ min: 0, max: 20 }),
      activationBytes: fc.integer({ min: 0, max: 30 }),
      workspaceBytes: fc.integer({ min: 0, max: 15 }),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((options) => ({
    name: "layer",
    forwardMs: 1,
    backwardMs: 1,
    staticBytes: 0,
    options: options.map((each, index) => ({ ...each, name: `${index}` })),
  }));

const instance = fc.record({
  layers: fc.array(layer, { minLength: 1, maxLength: 7 }),
  budget: fc.integer({ min: 0, max: 300 }),
  inFlight: fc.integer({ min: 1, max: 4 }),
});

/** Extra time and bytes of every choice of options. */
function* choices(
  layers: readonly PartitionLayer[],
  inFlight: number,
): Generator<{ extra: number; bytes: number }> {
  const indices = layers.map(() => 0);
  for (;;) {
    const chosen = layers.map(({ options }, index) => options[indices[index] as number]);
    let extra = 0;
    let kept = 0;
    let workspace = 0;
    for (const option of chosen) {
      extra += option?.extraBackwardMs ?? 0;
      kept += option?.activationBytes ?? 0;
      workspace = Math.max(workspace, option?.workspaceBytes ?? 0);
    }
    yield { extra, bytes: inFlight * kept + workspace };
    const next = indices.findIndex((at, index) => at + 1 < (layers[index]?.options.length ?? 0));
    if (next === -1) return;
    indices[next] = (indices[next] as number) + 1;
    indices.fill(0, 0, next);
  }
}

test("an interval's recompute is the least of all, and the bound on it is below", () => {
  fc.assert(
    fc.property(instance, ({ layers, budget, inFlight }) => {
      const all = [...choices(layers, inFlight)];
      const least = Math.min(...all.filter(({ bytes }) => bytes <= budget).map((c) => c.extra));
      const knapsack = new RecomputeKnapsack(layers);
      const solved = knapsack.solve(0, layers.length, budget, inFlight);
      assert.equal(solved?.extraMs ?? Number.POSITIVE_INFINITY, least);
      assert.equal(solved?.isLeast ?? true, true);
      const bound = knapsack.leastExtraMs(0, layers.length, budget, inFlight);
      assert.ok(bound <= least + 1e-9, `bound ${bound} above ${least}`);
      const missing = Math.min(...all.map(({ bytes }) => bytes)) - budget;
      assert.equal(knapsack.missing(0, layers.length, budget, inFlight), missing);
      assert.ok(knapsack.leastMissing(0, layers.length, budget, inFlight) <= missing);
    }),
    { numRuns: 2000, seed: 9 },
  );
});

test("greedy recompute fits whenever anything does, and takes no less than the least", () => {
  fc.assert(
    fc.property(instance, ({ layers, budget, inFlight }) => {
      const flat = layers.map((each) => ({
        ...each,
        options: each.options.map((option) => ({ ...option, workspaceBytes: 0 })),
      }));
      const { choices: classes, classOf } = layerClasses(flat);
      const items = classes.map((each) => classItem(each, 0)).filter((item) => item !== undefined);
      const counts = classes.map((_, index) => classOf.filter((own) => own === index).length);
      const found = greedyRecompute(items, counts, budget / inFlight);
      const all = [...choices(flat, inFlight)];
      const least = Math.min(...all.filter(({ bytes }) => bytes <= budget).map((c) => c.extra));
      assert.equal(found === undefined, least === Number.POSITIVE_INFINITY);
      if (found === undefined) return;
      assert.ok(found.extraMs >= least);
      let kept = 0;
      for (const [item, picks] of found.picks.entries()) {
        assert.equal(
          picks.reduce((sum, count) => sum + count, 0),
          counts[item],
        );
        for (const [choice, count] of picks.entries()) {
          assert.ok(count >= 0);
          kept += count * (items[item]?.choices[choice]?.activationBytes ?? 0);
        }
      }
      assert.ok(inFlight * kept <= budget * (1 + 1e-9));
    }),
    { numRuns: 2000, seed: 10 },
  );
});
