import assert from "node:assert/strict";
import test from "node:test";
import { namedAccelerator } from "./named-accelerator.ts";

test("an accelerator is known by the driver's name for it", () => {
  const names: [string, number | undefined][] = [
    ["NVIDIA A100-SXM4-40GB", 312e12],
    ["NVIDIA A100 80GB PCIe", 312e12],
    ["NVIDIA H100 80GB HBM3", 989e12],
    ["NVIDIA H200", 989e12],
    ["NVIDIA GB200", 2500e12],
    ["NVIDIA B200", 2250e12],
    ["NVIDIA GeForce RTX 4090", 165e12],
    ["NVIDIA GeForce RTX 4090 D", undefined],
    ["NVIDIA H100 PCIe", undefined],
    ["NVIDIA H100 NVL", undefined],
    ["NVIDIA A100-SXM4-80GB MIG 1g.10gb", undefined],
    ["Tesla T4", undefined],
  ];
  for (const [name, peak] of names) {
    assert.equal(namedAccelerator(name)?.peakFlops.bf16, peak, name);
  }
});
