import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Plan, Recompute, Scheme } from "../../proto/gen/moestro/v1/plan_pb.js";
import { MoestroError } from "../errors.ts";
import { fixtureJob, type JobChanges } from "../spec/job-fixture.ts";
import { planJob } from "./plan-job.ts";

const planOf = async (changes: JobChanges = {}) => {
  const { job, source } = await fixtureJob(changes);
  return planJob(job, { source });
};
const layersOf = (plan: Plan) => plan.stages.map(({ numLayers }) => numLayers);
const reason = (plan: Plan, topic: string) =>
  plan.reasons.find((text) => text.startsWith(topic)) ?? "";

describe("planJob", () => {
  it("lays the job over four ranks as it was asked to", async () => {
    const plan = await planOf({ model: { layers: 7 } });
    const { layout } = plan;
    assert.equal(layout?.scheme, Scheme.EDP);
    assert.deepEqual(
      [layout?.tensorParallel, layout?.expertParallel, layout?.pipelineParallel],
      [2, 2, 2],
    );
    assert.deepEqual([layout?.dataParallel, layout?.expertDataParallel], [1, 1]);
    assert.deepEqual(layersOf(plan), [4, 3]);
    assert.deepEqual([plan.microBatchSize, plan.numMicroBatches, plan.worldSize], [4, 4, 4]);
    assert.deepEqual(
      plan.stages.map(({ firstLayer, expertsPerRank, hasEmbedding, hasHead }) => [
        firstLayer,
        expertsPerRank,
        hasEmbedding,
        hasHead,
      ]),
      [
        [0, 4, true, false],
        [4, 4, false, true],
      ],
    );
  });

  it("says so when the even split is already the best", async () => {
    const plan = await planOf();
    assert.deepEqual(layersOf(plan), [3, 3]);
    assert.match(reason(plan, "Even split"), /^Even split: \[3,3\] is what was chosen/);
    assert.equal(plan.prediction?.makespanFlops, plan.prediction?.uniformMakespanFlops);
  });

  it("says what the even split would cost when a heavy head makes it worse", async () => {
    const plan = await planOf({ model: { vocabSize: 8192 } });
    assert.deepEqual(layersOf(plan), [5, 1]);
    assert.match(reason(plan, "Even split"), /\[3,3\] would take \d+\.\d % longer/);
  });

  it("keeps stages given by hand and compares them with the best", async () => {
    const plan = await planOf({ layout: { pipelineParallel: undefined, stages: [4, 2] } });
    assert.deepEqual(layersOf(plan), [4, 2]);
    assert.match(reason(plan, "Stages"), /fixed by the job, up to \d+\.\d % slower than the best/);
    assert.match(reason(plan, "Even split"), /\[3,3\] would be \d+\.\d % faster/);
  });

  it("passes recomputed layers on to the stages that hold them", async () => {
    const recompute = ["none", "none", "none", "none", "none", "full"];
    const plan = await planOf({ layout: { recompute } });
    const kinds = plan.stages.map((stage) => stage.recompute.includes(Recompute.FULL));
    assert.deepEqual(kinds, [false, true]);
  });

  it("finds a layout of its own, and says that communication did not decide", async () => {
    const plan = await planOf({ layout: "auto", training: { microBatchSize: undefined } });
    assert.equal(plan.layout?.pipelineParallel, 1);
    assert.ok(plan.numCandidates > 1);
    assert.match(reason(plan, "Layout"), /tie for the least predicted step time/);
    assert.match(reason(plan, "Not counted"), /communication, and memory/);
  });

  it("gives a legal plan for any number of ranks that a job accepts", async () => {
    const { job } = await fixtureJob({ layout: "auto" });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 12 }),
        (ranks, layers) => {
          const changed = { ...job, model: { ...job.model, layers } };
          let plan: Plan;
          try {
            plan = planJob(changed, { ranks });
          } catch (error) {
            assert.ok(error instanceof MoestroError && error.code === "no_plan");
            return;
          }
          const { layout, prediction } = plan;
          assert.ok(layout !== undefined && prediction !== undefined);
          const { tensorParallel: tp, dataParallel: dp, pipelineParallel: pp } = layout;
          assert.equal(tp * dp * pp, ranks);
          assert.equal(tp, layout.expertParallel);
          assert.equal(plan.stages.length, pp);
          assert.equal(
            layersOf(plan).reduce((a, b) => a + b),
            layers,
          );
          assert.ok(layersOf(plan).every((count) => count > 0));
          assert.equal(plan.microBatchSize * plan.numMicroBatches * dp, 16);
          assert.ok(prediction.boundFlops <= prediction.makespanFlops);
          assert.ok(prediction.uniformMakespanFlops >= prediction.makespanFlops * (1 - 1e-9));
          assert.ok(prediction.balance > 0 && prediction.balance <= 1 + 1e-9);
          assert.ok(prediction.bubbleFraction >= 0 && prediction.bubbleFraction < 1);
        },
      ),
    );
  });

  it("says what would fit when ranks were lost and none does", async () => {
    const { job, source } = await fixtureJob({ layout: "auto" });
    assert.throws(
      () => planJob(job, { ranks: 7, source }),
      (error) =>
        error instanceof MoestroError &&
        error.code === "no_plan" &&
        /^job\.yaml:23:10: cluster\.ranks: 7 is no product of .*; use 6 or 8 ranks$/.test(
          error.message,
        ),
    );
  });

  it("plans Skywork-MoE on its 1536 GPUs as published, within a second", async () => {
    const start = performance.now();
    const plan = await planOf({
      model: {
        preset: "skywork-moe-146b",
        layers: undefined,
        hiddenSize: undefined,
        heads: undefined,
        kvHeads: undefined,
        ffnHiddenSize: undefined,
        vocabSize: undefined,
      },
      training: { sequenceLength: 8192, globalBatchSize: 1024, microBatchSize: 1 },
      moe: { experts: undefined, topK: undefined },
      layout: { pipelineParallel: 12, tensorParallel: 4 },
      cluster: { ranks: 1536 },
    });
    assert.equal(plan.layout?.dataParallel, 32);
    assert.equal(plan.layout?.expertDataParallel, 32);
    assert.deepEqual(layersOf(plan), [5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4]);
    assert.equal(plan.prediction?.totalParameters, 146_356_168_000n);
    assert.ok(performance.now() - start < 1000);
  });
});
