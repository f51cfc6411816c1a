import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type StepReport, StepReportSchema } from "./gen/moestro/v1/report_pb.js";
import {
  joinStepReports,
  mergeCheckpointShards,
  mergeStepReports,
  numStepsOf,
} from "./merge-reports.ts";

/** A rank's report; whole-number sums, so that the order of summing does not show. */
const arbitraryReport = fc
  .record({
    loss: fc.integer({ min: 0, max: 1000 }),
    stage: fc.integer({ min: 0, max: 1 }),
    routed: fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 4, maxLength: 4 }),
    stepMs: fc.integer({ min: 1, max: 500 }),
    memory: fc.integer({ min: 0, max: 1000 }),
  })
  .map(({ loss, stage, routed, stepMs, memory }) =>
    create(StepReportSchema, {
      step: 5n,
      numRanks: 1,
      lossSum: loss,
      lossTokens: 8n,
      stepMs,
      layers: [
        {
          layer: stage,
          routed,
          dropped: routed.map((count) => count >> 1),
          auxLossSum: 1,
          auxLossCount: 1,
          zLossSum: 2,
        },
      ],
      stages: [
        {
          ...{ stage, numRanks: 1, computeMs: stepMs / 2, leastComputeMs: stepMs / 2 },
          ...{ slowestRank: loss, peakMemoryBytes: BigInt(memory) },
        },
      ],
    }),
  );

/** The same ranks' reports of consecutive steps; some stand for several. */
const arbitraryHistory = fc
  .array(fc.tuple(arbitraryReport, fc.integer({ min: 0, max: 3 })), { minLength: 1 })
  .map((reports) => {
    let step = 0n;
    return reports.map(([report, numSteps]) => {
      step += BigInt(Math.max(1, numSteps));
      return create(StepReportSchema, { ...report, step, numSteps });
    });
  });

const json = (report: StepReport) => toJson(StepReportSchema, report) as Record<string, unknown>;

test("merging in two levels, as agents and coordinator do, equals merging at once", () => {
  fc.assert(
    fc.property(
      fc.array(arbitraryReport, { minLength: 1 }),
      fc.array(arbitraryReport, { minLength: 1 }),
      (left, right) => {
        const nested = mergeStepReports([mergeStepReports(left), mergeStepReports(right)]);
        assert.deepEqual(json(nested), json(mergeStepReports([...left, ...right])));
      },
    ),
  );
});

test("merging leaves the reports it was given unchanged", () => {
  fc.assert(
    fc.property(fc.array(arbitraryReport, { minLength: 2 }), (reports) => {
      const before = reports.map(json);
      mergeStepReports(reports);
      assert.deepEqual(reports.map(json), before);
    }),
  );
});

test("counts and losses add up, times and memory take the largest", () => {
  const report = (lossSum: number, stepMs: number, routed: number[]) =>
    create(StepReportSchema, {
      step: 1n,
      numRanks: 1,
      ...{ lossSum, stepMs },
      layers: [
        { layer: 2, routed, dropped: [1, 0], expertSimilarity: 0.25, zLossSum: 1.5 },
        { layer: 3, routed, dropped: [0, 0] },
      ],
      stages: [{ stage: 0, numRanks: 1, peakMemoryBytes: BigInt(stepMs) }],
    });
  const merged = mergeStepReports([report(1.5, 10, [4, 6]), report(2.5, 30, [1, 2])]);
  assert.equal(merged.numRanks, 2);
  assert.equal(merged.lossSum, 4);
  assert.equal(merged.stepMs, 30);
  assert.deepEqual(merged.layers[0]?.routed, [5, 8]);
  assert.deepEqual(merged.layers[0]?.dropped, [2, 0]);
  assert.equal(merged.layers[0]?.expertSimilarity, 0.25);
  assert.equal(merged.layers[1]?.expertSimilarity, undefined);
  assert.equal(merged.layers[0]?.zLossSum, 3);
  assert.equal(merged.stages[0]?.numRanks, 2);
  assert.equal(merged.stages[0]?.peakMemoryBytes, 30n);
});

test("the slowest rank of a stage is that of the longest computation, beside the shortest one", () => {
  const rank = (slowestRank: number, computeMs: number) =>
    create(StepReportSchema, {
      stages: [{ stage: 1, numRanks: 1, slowestRank, computeMs, leastComputeMs: computeMs }],
    });
  const [stage] = mergeStepReports([rank(4, 20), rank(5, 60), rank(6, 10)]).stages;
  assert.deepEqual([stage?.slowestRank, stage?.computeMs, stage?.leastComputeMs], [5, 60, 10]);
});

test("steps joined two and two, however often, equal steps joined at once", () => {
  fc.assert(
    fc.property(arbitraryHistory, fc.nat(), (history, cut) => {
      const at = cut % history.length;
      const halves = [history.slice(0, at), history.slice(at)].filter(({ length }) => length > 0);
      const twice = joinStepReports(halves.map(joinStepReports));
      const once = joinStepReports(history);
      assert.ok(Math.abs(twice.stepMs - once.stepMs) < 1e-9);
      assert.deepEqual({ ...json(twice), stepMs: 0 }, { ...json(once), stepMs: 0 });
    }),
  );
});

test("joining keeps tokens, losses, assignments and the number of steps", () => {
  fc.assert(
    fc.property(arbitraryHistory, (history) => {
      const before = history.map(json);
      const joined = joinStepReports(history);
      const sum = (value: (report: StepReport) => number) =>
        history.map(value).reduce((total, each) => total + each, 0);
      const routed = (report: StepReport) =>
        report.layers.flatMap((layer) => layer.routed).reduce((a, b) => a + b, 0);
      assert.equal(joined.step, history.at(-1)?.step);
      assert.equal(joined.numRanks, 1);
      assert.equal(Number(joined.lossTokens), 8 * history.length);
      assert.equal(
        joined.lossSum,
        sum(({ lossSum }) => lossSum),
      );
      assert.equal(routed(joined), sum(routed));
      assert.equal(numStepsOf(joined), sum(numStepsOf));
      const totalMs = sum((report) => report.stepMs * numStepsOf(report));
      assert.ok(Math.abs(joined.stepMs * numStepsOf(joined) - totalMs) < 1e-6);
      assert.deepEqual(history.map(json), before);
    }),
  );
});

test("agents' joined reports merge, and stand for as many steps as each of them", () => {
  const joined = joinStepReports([1n, 2n].map((step) => create(StepReportSchema, { step })));
  assert.equal(mergeStepReports([joined, joined]).numSteps, 2);
});

test("reports and shards of different steps do not merge", () => {
  const at = (step: bigint) => create(StepReportSchema, { step });
  assert.throws(() => mergeStepReports([at(1n), at(2n)]), /do not merge/);
  const shards = (step: bigint) => ({ ...mergeCheckpointShards([]), step });
  assert.throws(() => mergeCheckpointShards([shards(1n), shards(2n)]), /do not merge/);
});
