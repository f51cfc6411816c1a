import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "yaml";
import { toClusterFile } from "./cluster-document.ts";
import { parseCluster } from "./cluster-file.ts";
import type { Measured } from "./measured.ts";
import { probedStepMs } from "./predict-probed.ts";
import { type ProbeTables, probedCluster } from "./probe-tables.ts";

const PROBED = { ranks: 2, sequenceLength: 8, hiddenSize: 4, modelFingerprint: "x" };

/** Two ranks on two cores: a layer takes 2 + 4 ms, a hop 0.5 ms, a step's end 1 ms a layer and 3 ms. */
function tables(): ProbeTables {
  const place = { tensorParallel: 1, microBatchSize: 1 };
  const step = (busyRanks: number, dataParallel: number, layers: number, recompute: boolean) => ({
    ...place,
    busyRanks,
    dataParallel,
    layers,
    recompute,
    forwardMs: 2 * layers + 0.25,
    backwardMs: (recompute ? 6 : 4) * layers + 0.5,
    gapMs: 0,
    skewMs: 0,
    tailMs: 3 + layers,
    optimizerMs: layers,
    numParameters: 1e6 * layers,
  });
  const steps = [1, 3].flatMap((layers) => [
    step(1, 1, layers, false),
    step(2, 1, layers, false),
    step(2, 2, layers, false),
  ]);
  const edge = { ...place, busyRanks: 1, dataParallel: 1, forwardMs: 0, backwardMs: 0 };
  const edges = [1, 2].flatMap((busyRanks) => [
    { ...edge, busyRanks, kind: "embedding" as const },
    { ...edge, busyRanks, kind: "head" as const },
  ]);
  return {
    device: "CPU rank",
    memoryBytes: 1e9,
    memoryBandwidth: 1e10,
    flopsAlone: 2e9,
    flopsTogether: 1e9,
    allReduce: [[256, 1]],
    messages: [
      [256, 1],
      [1024, 1],
      [4096, 2],
    ],
    steps: [...steps, step(2, 1, 3, true)],
    // (m + p - 1)(f + b) and two hops: (4 + 1) * 6.75 + 2 * 0.5.
    pipelines: [
      {
        ...place,
        busyRanks: 2,
        dataParallel: 1,
        pipelineParallel: 2,
        numMicroBatches: 4,
        pipelineMs: 34.75,
      },
    ],
    edges,
  };
}

test("two depths give a layer's time, and what is left over belongs to the stage", () => {
  const { layers, steps } = probedCluster(tables(), PROBED).measured as Measured;
  const layer = layers.find((row) => row.kind === "moe" && row.busyRanks === 2);
  assert.deepEqual([layer?.forwardMs, layer?.backwardMs, layer?.recomputeFullMs], [2, 4, 2]);
  const chunk = layers.find((row) => row.kind === "chunk" && row.busyRanks === 2);
  assert.deepEqual([chunk?.forwardMs, chunk?.backwardMs], [0.25, 0.5]);
  assert.ok(steps.every((row) => row.tailMs === 3 && row.tailMsPerLayer === 1));
});

test("a measured pipeline gives the time of a hop, and is itself predicted exactly", () => {
  const measured = probedCluster(tables(), PROBED).measured as Measured;
  const step = probedStepMs(measured, {
    layersPerStage: [1, 1],
    recomputePerLayer: [0, 0],
    schedule: "1f1b",
    tensorParallel: 1,
    pipelineParallel: 2,
    dataParallel: 1,
    microBatchSize: 1,
    numMicroBatches: 4,
  });
  assert.ok(Math.abs(step - (34.75 + 4)) < 1e-3, `${step} ms`);
  assert.ok((measured.hops[0]?.hopMs ?? 0) > 0);
});

test("what a probe wrote is read back as a probed cluster with its measurements", () => {
  const probed = probedCluster(tables(), PROBED);
  const read = parseCluster(stringify(toClusterFile(probed)), "profile.yaml");
  assert.equal(read.origin, "probe");
  assert.deepEqual(read.measured, probed.measured);
  assert.deepEqual(read.accelerator.achievable, { fp32: 0.5 });
});

test("a link's curve has its latency taken off", () => {
  const { intra } = probedCluster(tables(), PROBED);
  assert.equal(intra.latencyMs, 1);
  assert.deepEqual(intra.curve, [[4096, 4096e3]]);
});
