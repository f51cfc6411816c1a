import assert from "node:assert/strict";
import { test } from "node:test";
import { CLUSTER_PRESET_NAMES, clusterPreset } from "./presets.ts";

test("every preset has ascending curves, and a share for each precision it has a peak for", () => {
  for (const name of CLUSTER_PRESET_NAMES) {
    const { accelerator, intra, inter } = clusterPreset(name, 4, 8);
    assert.deepEqual(
      Object.keys(accelerator.peakFlops).sort(),
      Object.keys(accelerator.achievable).sort(),
    );
    for (const { curve } of [intra, inter]) {
      const sizes = curve.map(([bytes]) => bytes);
      assert.deepEqual(
        sizes,
        sizes.toSorted((a, b) => a - b),
      );
    }
  }
});

test("no preset's link is faster than its vendor says, both directions halved", () => {
  const oneWay = {
    a800: 200,
    "a100-80": 300,
    h100: 450,
    h800: 200,
    b200: 900,
    gb200: 900,
  } as const;
  for (const [name, limit] of Object.entries(oneWay)) {
    const { intra } = clusterPreset(name as keyof typeof oneWay, 1, 8);
    assert.ok(Math.max(...intra.curve.map(([, rate]) => rate)) <= limit * 1e9, name);
  }
});

test("GPUs that share a node's ports get less each the more there are", () => {
  const rate = (gpus: number) => clusterPreset("a800", 2, gpus).inter.curve.at(-1)?.[1] ?? 0;
  assert.ok(Math.abs(rate(4) / rate(8) - 2) < 1e-9);
  assert.ok(rate(8) > 0.9 * 12.5e9 && rate(8) < 12.5e9);
});
