import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterPreset } from "../hardware/presets.ts";
import { withProbedNetwork } from "./probed-network.ts";

const sixteen = clusterPreset("h100", 16, 8);
const probe = (allgather: number, inside = 425) =>
  withProbedNetwork(sixteen, {
    allgather_gbps: String(allgather),
    ar_intra_gbps: String(inside),
  });

test("a probe that only waited for the network leaves the preset as it is", () => {
  assert.equal(probe(117), sixteen);
  assert.equal(withProbedNetwork(sixteen, {}), sixteen);
});

test("a gather of 1 GB in 37 ms over 128 ranks cost the host 0.28 ms a rank", () => {
  const { collectiveRankMs, ...rest } = probe(27);
  assert.ok(Math.abs((collectiveRankMs ?? 0) - 0.281) < 0.002, `${collectiveRankMs}`);
  assert.deepEqual(rest, sixteen);
});

test("where a tenth of NVLink's rate was seen, the link inside the node is scaled to it", () => {
  const { intra, collectiveRankMs } = probe(40, 42.5);
  assert.equal(collectiveRankMs, undefined);
  for (const [index, [bytes, rate]] of intra.curve.entries()) {
    const usual = sixteen.intra.curve[index];
    assert.equal(bytes, usual?.[0]);
    assert.ok(Math.abs(rate / (usual?.[1] ?? 0) - 0.1) < 1e-9);
  }
});
