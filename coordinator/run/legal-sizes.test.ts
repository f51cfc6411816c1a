import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { MoestroError } from "../errors.ts";
import { planJob } from "../planner/plan-job.ts";
import { fixtureJob } from "../spec/job-fixture.ts";
import type { Job } from "../spec/schema.ts";
import { countsAfterLoss, LegalSizes } from "./legal-sizes.ts";

/** Sizes up to 16 with their plans' makespans. */
function allPlans(job: Job): Map<number, number> {
  const makespans = new Map<number, number>();
  for (let ranks = 1; ranks <= 16; ranks++) {
    try {
      const { prediction } = planJob(job, { ranks });
      makespans.set(ranks, prediction?.makespanFlops ?? 0);
    } catch (error) {
      assert.ok(error instanceof MoestroError && error.code === "no_plan");
    }
  }
  return makespans;
}

const numbers = (sizes: readonly { numRanks: number }[]) => sizes.map(({ numRanks }) => numRanks);

describe("legal sizes", () => {
  let job: Job;
  before(async () => {
    ({ job } = await fixtureJob({ layout: "auto" }));
  });

  it("are those that have a plan", () => {
    const sizes = new LegalSizes(job);
    const makespans = allPlans(job);
    for (let ranks = 1; ranks <= 16; ranks++) {
      assert.ok(!sizes.isPlanned(ranks));
      const plan = sizes.plan(ranks);
      assert.equal(plan?.prediction?.makespanFlops, makespans.get(ranks), `${ranks} ranks`);
      assert.ok(plan === undefined || plan.worldSize === ranks);
      assert.equal(sizes.plan(ranks), plan, "and keep it");
    }
  });

  it("keep the global batch", () => {
    const sizes = new LegalSizes(job);
    for (const { numRanks } of sizes.between(1, 16)) {
      const plan = sizes.plan(numRanks);
      if (!plan) continue;
      const { microBatchSize, numMicroBatches, layout } = plan;
      assert.equal(microBatchSize * numMicroBatches * (layout?.dataParallel ?? 0), 16);
    }
  });

  it("come with the shortest step first, and none that a smaller one makes needless", () => {
    const sizes = new LegalSizes(job);
    const makespans = allPlans(job);
    for (const ranks of makespans.keys()) sizes.plan(ranks);
    const counts = numbers(sizes.between(1, 16));
    const steps = counts.map((ranks) => makespans.get(ranks) ?? 0);
    assert.deepEqual(
      steps,
      steps.toSorted((a, b) => a - b),
    );
    for (const [ranks, step] of makespans) {
      const isBeaten = [...makespans].some(([other, its]) => other < ranks && its <= step);
      assert.equal(counts.includes(ranks), !isBeaten, `${ranks} ranks`);
    }
    assert.ok(!counts.includes(3), "three stages are slower than two replicas");
  });

  it("are larger first before anything is planned", () => {
    const counts = numbers(new LegalSizes(job).between(2, 12));
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => b - a),
    );
    assert.ok(counts.every((count) => count >= 2 && count <= 12));
  });

  it("have a best one, known by its plan", async () => {
    const sizes = new LegalSizes(job);
    const makespans = allPlans(job);
    for (let most = 1; most <= 16; most++) {
      const within = [...makespans].filter(([ranks]) => ranks <= most);
      const [best] = within.sort(([a, x], [b, y]) => x - y || a - b);
      assert.equal((await sizes.best(1, most))?.numRanks, best?.[0], `up to ${most} ranks`);
    }
  });

  it("obey every size that the job fixes", async () => {
    const fixed = { pipelineParallel: 2, tensorParallel: 2 };
    const open = new LegalSizes((await fixtureJob({ layout: fixed })).job);
    assert.deepEqual(
      open.between(1, 16).map(({ numRanks, tensorParallel }) => [numRanks, tensorParallel]),
      [16, 8, 4].map((count) => [count, 2]),
    );
    assert.deepEqual(await open.best(5, 7), undefined);
    const all = { ...fixed, dataParallel: 1, contextParallel: 1 };
    const closed = new LegalSizes((await fixtureJob({ layout: all })).job);
    assert.deepEqual(numbers(closed.between(1, 16)), [4]);
  });

  it("exclude what the memory is too small for, once that is known", async () => {
    const cluster = { ranks: 4, memoryLimit: 0.6 };
    const sizes = new LegalSizes((await fixtureJob({ layout: "auto", cluster })).job);
    assert.ok(numbers(sizes.between(1, 16)).includes(2), "its layout is legal");
    assert.equal(sizes.plan(2), undefined);
    assert.ok(!numbers(sizes.between(1, 16)).includes(2));
    assert.equal(await sizes.best(1, 2), undefined);
    assert.equal((await sizes.best(1, 5))?.numRanks, 4);
  });

  it("are planned ahead for the loss of each node, one plan at a time", async () => {
    const sizes = new LegalSizes(job);
    const placed = [
      { agentId: "a", slots: [0, 1, 2, 3] },
      { agentId: "b", slots: [0, 1, 2, 3] },
      { agentId: "c", slots: [0, 1] },
    ];
    assert.deepEqual(countsAfterLoss(placed), [6, 8]);
    let pauses = 0;
    await sizes.prepare(1, countsAfterLoss(placed), async () => {
      pauses += 1;
    });
    assert.ok(pauses >= 2);
    for (const count of [6, 8]) {
      const [first] = sizes.between(1, count);
      assert.deepEqual(first, await sizes.best(1, count));
    }
    await sizes.prepare(1, [6, 8], () => assert.fail("all is planned already"));
  });

  it("for GPUs are planned elsewhere, each once, and not before they are asked for", async () => {
    const gpus: Job = { ...job, cluster: { ...job.cluster, gpu: "h100" } };
    const asked: number[] = [];
    const sizes = new LegalSizes(gpus, async (_, ranks) => {
      asked.push(ranks);
      return planJob(job, { ranks });
    });
    assert.equal(sizes.isSlow, true);
    const [one, same] = await Promise.all([sizes.planned(8), sizes.planned(8)]);
    assert.equal(one, same);
    assert.equal(sizes.plan(8), one);
    assert.deepEqual(asked, [8]);
    assert.equal(new LegalSizes(job, async () => assert.fail("it is planned here")).isSlow, false);
  });

  it("are not planned further once nobody needs them", async () => {
    const abort = new AbortController();
    const sizes = new LegalSizes(job);
    let pauses = 0;
    const idle = async () => {
      pauses += 1;
      abort.abort();
    };
    await sizes.prepare(1, [4, 8, 16], idle, abort.signal);
    assert.equal(pauses, 1);
  });
});
