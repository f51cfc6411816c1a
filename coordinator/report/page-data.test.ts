import assert from "node:assert/strict";
import test from "node:test";
import { makeRun } from "./fixture.ts";
import { buildPageData } from "./page-data.ts";

test("figures become columns, with a gap where there is none", () => {
  const { metrics } = makeRun({ steps: 40 });
  const diverged = metrics.map((record, i) => (i === 3 ? { ...record, loss: Number.NaN } : record));
  const data = buildPageData(diverged);
  assert.deepEqual(data.steps.slice(0, 3), [1, 2, 3]);
  assert.equal(data.loss[3], null);
  assert.ok(Math.abs((data.loss[0] ?? 0) - (metrics[0]?.loss ?? 0)) < 1e-4);
  assert.deepEqual(data.validationLoss.map((value) => value !== null).filter(Boolean).length, 2);
  assert.equal(data.dropRate.length, 6);
  assert.equal(data.expertSimilarity[5]?.[0], null);
  assert.equal(data.expertSimilarity[5]?.[19], 0.15);
});

test("expert load is given in per cent of an even share", () => {
  const [record] = makeRun({ steps: 1, numLayers: 1, numExperts: 4 }).metrics;
  assert.ok(record);
  const layer = { layer: 3, dropRate: 0, auxCoeff: 0, auxLoss: 0, expertLoad: [10, 20, 30, 40] };
  const { load, layers } = buildPageData([{ ...record, layers: [layer] }]);
  assert.deepEqual(layers, [3]);
  assert.deepEqual(load, { numExperts: 4, columnSteps: [1], layers: [[40, 80, 120, 160]] });
});

test("a long or wide run gets fewer heat-map columns, each a sum of steps", () => {
  const { metrics } = makeRun({ steps: 1400, numLayers: 12, numExperts: 16 });
  const { load } = buildPageData(metrics);
  assert.ok(load.columnSteps.length <= 500);
  assert.equal(load.columnSteps.at(-1), 1400);
  for (const layer of load.layers) assert.equal(layer.length, 16 * load.columnSteps.length);
});
