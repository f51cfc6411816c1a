import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  OptimizerSharding,
  type Plan,
  Recompute,
  Schedule,
  Scheme,
} from "../../proto/gen/moestro/v1/plan_pb.js";
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
    assert.match(reason(plan, "Not counted"), /communication/);
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
          assert.equal(tp * layout.contextParallel * dp * pp, ranks);
          const { expertParallel: ep, expertTensorParallel: etp } = layout;
          assert.equal(etp * ep * layout.expertDataParallel * pp, ranks);
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
    assert.equal(plan.prediction?.totalParameters, 146_356_167_168n);
    assert.ok(performance.now() - start < 1000);
  });

  const ranksOf = (plan: Plan) => plan.stages.map(({ pipelineRank }) => pipelineRank);
  const free = { scheme: undefined, tensorParallel: undefined };

  it("cuts the model into chunks where they are asked for, and interleaves them", async () => {
    const plan = await planOf({ layout: { virtualPipeline: 3 } });
    assert.equal(plan.schedule, Schedule.SCHEDULE_INTERLEAVED);
    assert.equal(plan.layout?.virtualPipeline, 3);
    assert.deepEqual(layersOf(plan), [1, 1, 1, 1, 1, 1]);
    assert.deepEqual(ranksOf(plan), [0, 1, 0, 1, 0, 1]);
    assert.deepEqual(
      plan.stages.map(({ hasEmbedding, hasHead }) => Number(hasEmbedding) - Number(hasHead)),
      [1, 0, 0, 0, 0, -1],
    );
    assert.match(reason(plan, "Stages"), /3 chunks on each of 2 ranks under interleaved/);
  });

  it("walks back over the ranks under DualPipeV", async () => {
    const plan = await planOf({ layout: { schedule: "dualpipev" } });
    assert.equal(plan.schedule, Schedule.SCHEDULE_DUALPIPEV);
    assert.deepEqual(ranksOf(plan), [0, 1, 1, 0]);
    assert.equal(plan.layout?.virtualPipeline, 2);
  });

  it("keeps the chunks given by hand, however many they make of a rank", async () => {
    const stages = [1, 2, 1, 2];
    const plan = await planOf({ layout: { schedule: "interleaved", stages } });
    assert.deepEqual(layersOf(plan), stages);
    assert.deepEqual(ranksOf(plan), [0, 1, 0, 1]);
    assert.match(reason(plan, "Even split"), /\[2,2,1,1\] .* faster/);
    // Nobody said how many ranks; four entries and two chunks make two.
    const open = { pipelineParallel: undefined, virtualPipeline: 2, stages };
    const alike = await planOf({ layout: { ...open, schedule: "interleaved" } });
    assert.equal(alike.layout?.pipelineParallel, 2);
  });

  it("takes the quickest of the schedules that are allowed and that PyTorch can run", async () => {
    const schedule = ["1f1b", "zero-bubble"];
    const one = await planOf({ layout: { schedule } });
    assert.equal(one.schedule, Schedule.SCHEDULE_ZERO_BUBBLE);
    const other = await planOf({ layout: { schedule, recompute: "selective" } });
    assert.equal(other.schedule, Schedule.SCHEDULE_1F1B);
    assert.ok(other.stages.every(({ recompute }) => recompute.every((r) => r === 3)));
    assert.equal(Recompute.SELECTIVE, 3);
  });

  it("runs every scheme, with edp between equals", async () => {
    for (const [scheme, changes] of Object.entries({
      edp: { tensorParallel: 2 },
      ep: { tensorParallel: 1, expertParallel: 4 },
      etp: { tensorParallel: 2, expertTensorParallel: 2 },
      folded: { tensorParallel: 2, expertParallel: 4 },
    })) {
      const sizes = { ...free, pipelineParallel: 1, ...changes };
      const plan = await planOf({
        layout: { ...sizes, scheme },
        cluster: { ranks: 8 },
        training: { microBatchSize: 2 },
      });
      assert.equal(Scheme[plan.layout?.scheme ?? 0], scheme.toUpperCase());
    }
    const plan = await planOf({ layout: { ...free, tensorParallel: 2 } });
    assert.equal(plan.layout?.scheme, Scheme.EDP);
    assert.equal(plan.layout?.contextParallel, 1);
  });

  it("splits a sequence when it is asked to", async () => {
    const layout = { ...free, pipelineParallel: 1, contextParallel: 4 };
    const plan = await planOf({ layout });
    assert.deepEqual([plan.layout?.contextParallel, plan.layout?.dataParallel], [4, 1]);
  });

  it("passes on how the optimizer is sharded", async () => {
    const sharding = async (optimizerSharding: string) =>
      (await planOf({ training: { optimizerSharding } })).optimizerSharding;
    assert.equal(await sharding("none"), OptimizerSharding.UNSPECIFIED);
    assert.equal(await sharding("zero1"), OptimizerSharding.ZERO1);
    assert.equal(await sharding("fsdp"), OptimizerSharding.FSDP);
  });

  const large = (memoryLimit: number | undefined, layout: object = {}): JobChanges => ({
    model: { layers: 12, hiddenSize: 256, heads: 8, kvHeads: 8, ffnHiddenSize: 768 },
    training: { sequenceLength: 512, microBatchSize: 2 },
    layout: { ...free, pipelineParallel: 4, ...layout },
    cluster: { ranks: 4, memoryLimit },
  });

  it("recomputes what a memory limit forces it to, layer by layer, and no more", async () => {
    let last = 0;
    for (const limit of [1.5, 1.3, 1.1, 1]) {
      const { prediction, stages } = await planOf(large(limit));
      assert.ok(prediction !== undefined && prediction.memoryBytes.length === 4);
      assert.ok(prediction.memoryBytes.every((bytes) => bytes <= limit * 1e9));
      const kinds = stages.flatMap(({ recompute }) => recompute);
      const extra = kinds.reduce((sum, kind) => sum + (kind === Recompute.NONE ? 0 : 1), 0);
      assert.ok(extra >= last, `${extra} layers recomputed at ${limit} GB`);
      assert.ok(limit < 1.5 === extra > 0);
      last = extra;
    }
  });

  it("predicts memory without a limit too, and recomputes nothing", async () => {
    const plan = await planOf(large(undefined));
    const { memoryBytes = [] } = plan.prediction ?? {};
    assert.ok((memoryBytes[0] ?? 0) > (memoryBytes[3] ?? 0));
    assert.match(reason(plan, "Memory"), /not limited; 1\.\d\d GB at its peak/);
    const kinds = new Set(plan.stages.flatMap(({ recompute }) => recompute));
    assert.deepEqual([...kinds], [Recompute.NONE]);
  });

  it("says what would do when nothing fits the limit, which is then enough", async () => {
    const needed = async (limit: number) => {
      try {
        await planOf(large(limit));
      } catch (error) {
        assert.ok(error instanceof MoestroError && error.code === "no_plan");
        assert.match(error.message, /cluster\.memoryLimit: .* too little for the closest layout/);
        return Number(/use ([\d.]+) GB or more/.exec(error.message)?.[1]);
      }
      return undefined;
    };
    const least = await needed(0.6);
    assert.ok(least !== undefined && least > 0.6);
    assert.equal(await needed(least), undefined);
  });
});
