import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { MoestroError } from "../../errors.ts";
import { toClusterFile } from "./cluster-document.ts";
import { loadCluster, parseCluster } from "./cluster-file.ts";
import { CLUSTER_PRESET_NAMES, clusterPreset } from "./presets.ts";

const EXAMPLES = resolve(import.meta.dirname, "../../../examples/clusters");
const TEXT = `name: two
nodes: 1
gpusPerNode: 8
accelerator:
  name: X
  memoryGB: 80
  memoryBandwidthGBps: 2000
  peakTflops: { bf16: 300 }
  achievable: { bf16: 0.7 }
intra:
  latencyMicroseconds: 10
  curve: [[64, 20], [1000, 200]]
`;

function linesOf(text: string): readonly string[] {
  try {
    parseCluster(text, "c.yaml");
  } catch (error) {
    if (error instanceof MoestroError) return error.lines;
    throw error;
  }
  return [];
}

test("a cluster file is read in the units of data sheets", () => {
  const cluster = parseCluster(TEXT, "c.yaml");
  assert.equal(cluster.accelerator.memoryBytes, 80e9);
  assert.equal(cluster.accelerator.peakFlops.bf16, 300e12);
  assert.deepEqual(cluster.intra.curve[1], [1e6, 200e9]);
  assert.equal(cluster.intra.latencyMs, 0.01);
  assert.equal(cluster.origin, "file");
});

test("the example file says what the preset says", async () => {
  const cluster = await loadCluster(join(EXAMPLES, "h100.yaml"));
  const preset = clusterPreset("h100", 16, 8);
  assert.equal(cluster.accelerator.peakFlops.bf16, preset.accelerator.peakFlops.bf16);
  const [last, expected] = [cluster.intra.curve.at(-1)?.[1], preset.intra.curve.at(-1)?.[1]];
  assert.ok(Math.abs((last ?? 0) / (expected ?? 1) - 1) < 0.01);
});

test("every preset survives being written and read", () => {
  for (const name of CLUSTER_PRESET_NAMES) {
    const preset = clusterPreset(name, 2, 8);
    const read = parseCluster(stringify(toClusterFile(preset)), "c.yaml");
    assert.equal(read.gpusPerDomain, preset.gpusPerDomain);
    for (const [index, [bytes, rate]] of read.inter.curve.entries()) {
      assert.ok(Math.abs(bytes - (preset.inter.curve[index]?.[0] ?? 0)) < 1);
      assert.ok(Math.abs(rate / (preset.inter.curve[index]?.[1] ?? 0) - 1) < 1e-9);
    }
  }
});

const FAULTS: [what: string, text: string, line: RegExp][] = [
  ["NaN", TEXT.replace("80", ".nan"), /^c\.yaml:6:13: accelerator\.memoryGB: NaN .*number/],
  [
    "a negative rate",
    TEXT.replace("2000", "-3"),
    /^c\.yaml:7:24: .*-3 is out of range; use above 0/,
  ],
  ["zero GPUs", TEXT.replace("Node: 8", "Node: 0"), /^c\.yaml:3:14: gpusPerNode: 0 .*at least 1/],
  ["too many GPUs", TEXT.replace("Node: 8", "Node: 2000000"), /^c\.yaml:3:.*at most 1000000/],
  [
    "an unsorted curve",
    TEXT.replace("[[64, 20], [1000, 200]]", "[[64, 20], [8, 200]]"),
    /^c\.yaml:12:\d+: intra\.curve\[1\]: size 8 follows 64; sort/,
  ],
  ["an unknown field", TEXT.replace("nodes:", "node:"), /unknown key; did you mean nodes\?/],
  ["a missing field", TEXT.replace("nodes: 1\n", ""), /nodes: is missing; add it/],
  ["text for a number", TEXT.replace("80", "eighty"), /"eighty" does not fit; use a finite number/],
  ["a share above one", TEXT.replace("0.7", "1.7"), /achievable\.bf16: 1\.7 .*at most 1/],
  ["two nodes without a link", TEXT.replace("nodes: 1", "nodes: 2"), /add inter/],
  [
    "a peak without its share",
    TEXT.replace("bf16: 300", "bf16: 300, fp8: 600"),
    /peakTflops\.fp8: fp8 stands here and not in achievable/,
  ],
  ["a list", "- 1\n", /is no cluster file/],
  ["an empty curve", TEXT.replace("[[64, 20], [1000, 200]]", "[]"), /curve: \[…\] has the wrong/],
];

for (const [what, text, line] of FAULTS) {
  test(`a cluster file with ${what} is refused in one line that says where`, () => {
    const lines = linesOf(text);
    assert.match(lines.join("\n"), line);
    for (const each of lines) assert.doesNotMatch(each, /\n/);
  });
}
