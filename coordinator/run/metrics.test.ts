import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { StepReportSchema, TimelineEvent_Kind } from "../../proto/gen/moestro/v1/report_pb.js";
import { metricsRecord, timelineRecord } from "./metrics.ts";

const report = create(StepReportSchema, {
  step: 7n,
  numRanks: 2,
  lossSum: 300,
  lossTokens: 100n,
  gradientNorm: 1.5,
  learningRate: 0.002,
  stepMs: 50,
  layers: [
    {
      layer: 0,
      routed: [60, 140],
      dropped: [0, 10],
      auxLossSum: 0.8,
      auxLossCount: 4,
      auxCoefficient: 0.01,
      zLossSum: 12,
      expertSimilarity: 0.25,
    },
    { layer: 1, routed: [100, 100], dropped: [0, 0] },
  ],
  stages: [
    { stage: 0, computeMs: 20, communicationMs: 5, peakMemoryBytes: 100n },
    {
      stage: 1,
      computeMs: 10,
      communicationMs: 9,
      peakMemoryBytes: 300n,
      timeline: [{ kind: TimelineEvent_Kind.BACKWARD, microBatch: 2, startMs: 1, endMs: 3 }],
    },
  ],
  validationLossSum: 30,
  validationTokens: 20n,
});

test("a line of metrics follows from the sums by the definitions", () => {
  const record = metricsRecord(report, new Date(0));
  assert.equal(record.loss, 3);
  assert.equal(record.tokensPerSecond, 2000);
  assert.equal(record.layers[0]?.dropRate, 10 / 200);
  assert.equal(record.layers[0]?.auxLoss, 0.2);
  assert.equal(record.layers[0]?.zLoss, 3);
  assert.deepEqual(record.layers[0]?.expertLoad, [60, 140]);
  assert.equal(record.layers[0]?.expertSimilarity, 0.25);
  assert.equal(record.validationLoss, 1.5);
  assert.equal(record.memory.peakBytes, 300);
});

test("a layer whose experts were not compared has no similarity", () => {
  const [, layer] = metricsRecord(report, new Date(0)).layers;
  assert.ok(layer && !("expertSimilarity" in layer) && !("zLoss" in layer));
});

test("a step without validation has no validation loss", () => {
  const record = metricsRecord({ ...report, validationTokens: 0n }, new Date(0));
  assert.ok(!("validationLoss" in record));
});

test("a timeline is there in the steps that sent one, and only then", () => {
  assert.deepEqual(timelineRecord(report)?.stages[1]?.events, [
    { kind: "backward", microBatch: 2, startMs: 1, endMs: 3 },
  ]);
  assert.equal(timelineRecord(create(StepReportSchema, { stages: [{ stage: 0 }] })), undefined);
});
