import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { makeRun } from "./fixture.ts";
import { MetricsThinner } from "./thin-metrics.ts";

test("a run shorter than the limit is kept as it is", () => {
  const { metrics } = makeRun({ steps: 30 });
  const thinner = new MetricsThinner(30);
  for (const record of metrics) thinner.add(record);
  assert.deepEqual(thinner.records(), metrics);
  assert.equal(thinner.stepsPerRecord, 1);
});

test("a long run is thinned to means that keep the whole run's mean and its last step", () => {
  const { metrics } = makeRun({ steps: 96, numLayers: 2, numExperts: 2 });
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 60 }), (limit) => {
      const thinner = new MetricsThinner(limit);
      for (const record of metrics) thinner.add(record);
      const kept = thinner.records();
      assert.ok(kept.length <= limit);
      assert.equal(kept.at(-1)?.step, 96);
      let from = 0;
      let total = 0;
      for (const record of kept) {
        total += record.loss * (record.step - from);
        from = record.step;
      }
      const mean = metrics.reduce((sum, record) => sum + record.loss, 0) / metrics.length;
      assert.ok(Math.abs(total / 96 - mean) < 1e-9);
    }),
  );
});

test("steps repeated after a resume replace the abandoned ones", () => {
  const { metrics } = makeRun({ steps: 10 });
  const again = metrics.slice(6).map((record) => ({ ...record, loss: 1 }));
  const thinner = new MetricsThinner(100);
  for (const record of [...metrics, ...again]) thinner.add(record);
  assert.deepEqual(thinner.records(), [...metrics.slice(0, 6), ...again]);
});

test("what few steps measure is kept when steps are put together", () => {
  const { metrics } = makeRun({ steps: 80, numLayers: 1 });
  const thinner = new MetricsThinner(20);
  for (const record of metrics) thinner.add(record);
  const measured = thinner.records().filter(({ layers }) => layers[0]?.expertSimilarity);
  assert.deepEqual(
    measured.map(({ step, validationLoss }) => [step, validationLoss !== undefined]),
    [20, 40, 60, 80].map((step) => [step, true]),
  );
});
