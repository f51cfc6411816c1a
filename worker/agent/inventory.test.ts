import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { addressTowards, defaultSlots, takeInventory } from "./inventory.ts";

const PATH = process.env.PATH;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "moestro-inventory-"));
});
afterEach(() => {
  process.env.PATH = PATH;
  rmSync(folder, { recursive: true });
});

/** Puts a program of this name and these lines before all others. */
function install(name: string, ...lines: string[]): void {
  const path = join(folder, name);
  writeFileSync(path, ["#!/bin/sh", ...lines, ""].join("\n"));
  chmodSync(path, 0o755);
  process.env.PATH = `${folder}:${PATH}`;
}

test("GPUs are listed with their memory and links, and each is a slot", async () => {
  install(
    "nvidia-smi",
    'if [ "$1" = topo ]; then echo "GPU0 X NV18"; exit; fi',
    'echo "NVIDIA H200, 143771"; echo "NVIDIA H200, 143771"',
  );
  const inventory = await takeInventory();
  assert.deepEqual(
    inventory.accelerators.map(({ name, memoryBytes }) => [name, memoryBytes]),
    Array(2).fill(["NVIDIA H200", 143771n * 1024n * 1024n]),
  );
  assert.equal(inventory.topology, "GPU0 X NV18");
  assert.equal(defaultSlots(inventory), 2);
});

for (const [what, line] of [
  ["says that it found no device", "echo 'No devices were found'; exit 6"],
  ["prints what cannot be read", "echo '[Not Supported], [N/A]'"],
  ["never answers", "exec sleep 60"],
] as const) {
  test(`where the driver's tool ${what}, processors are slots`, async () => {
    install("nvidia-smi", line);
    const inventory = await takeInventory();
    assert.deepEqual(inventory.accelerators, []);
    assert.equal(inventory.topology, "");
    assert.equal(defaultSlots(inventory), availableParallelism());
  });
}

test("a node's address is the one that its connections to the coordinator come from", async () => {
  assert.equal(await addressTowards("127.0.0.1:7443"), "127.0.0.1");
  assert.equal(await addressTowards("nowhere.invalid:7443"), undefined);
});
