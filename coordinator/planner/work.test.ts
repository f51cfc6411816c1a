import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fixtureJob, type JobChanges } from "../spec/job-fixture.ts";
import { modelWork } from "./work.ts";

const sizes = (tensorParallel: number) => ({
  tensorParallel,
  contextParallel: 1,
  pipelineParallel: 2,
  dataParallel: 1,
  expertParallel: tensorParallel,
  expertTensorParallel: 1,
});

const workOf = async (changes: JobChanges = {}, tensorParallel = 1) =>
  modelWork((await fixtureJob(changes)).job, sizes(tensorParallel), 4);

describe("modelWork", () => {
  it("counts a layer and the head as worked out by hand", async () => {
    const { layers, head } = await workOf();
    const tokens = 4 * 256;
    const projections = 2 * 192 * (192 + 64 + 64 + 192);
    const causalScores = (2 * 2 * 256 * 192) / 2;
    const gate = 2 * 192 * 8;
    const experts = 2 * 1 * (2 * 3 * 192 * 256);
    assert.equal(layers.length, 6);
    assert.equal(layers[0]?.forward, tokens * (projections + causalScores + gate + experts));
    assert.equal(head.forward, tokens * 256 * (2 * 192 + 5));
  });

  it("makes backward twice forward, with gradients of weights in all but the scores", async () => {
    const { layers, head } = await workOf();
    const scores = (4 * 256 * (2 * 2 * 256 * 192)) / 2;
    for (const { forward, backward } of [...layers, head]) assert.equal(backward, 2 * forward);
    const [layer] = layers;
    assert.equal(layer?.weightGrad, (layer?.forward ?? 0) - scores);
  });

  it("repeats the scores under selective recompute, everything under full", async () => {
    const { layers, head } = await workOf();
    const scores = (4 * 256 * (2 * 2 * 256 * 192)) / 2;
    const [layer] = layers;
    assert.deepEqual(layer?.recompute, { none: 0, selective: scores, full: layer?.forward });
    assert.deepEqual(head.recompute, { none: 0, selective: 0, full: 0 });
  });

  it("counts dense layers and shared experts as wide as they are", async () => {
    const { job } = await fixtureJob();
    const changes = { denseLayers: [0], denseFfnHiddenSize: 640, sharedFfnHiddenSize: 128 };
    const model = { ...job.model, ...changes };
    const { layers } = modelWork({ ...job, model }, sizes(1), 4);
    const plain = modelWork(job, sizes(1), 4).layers[0]?.forward ?? 0;
    const gateAndExperts = 4 * 256 * (2 * 192 * 8 + 2 * 6 * 192 * 256);
    assert.equal(layers[0]?.forward, plain - gateAndExperts + 4 * 256 * 6 * 192 * 640);
    assert.equal(layers[1]?.forward, plain + 4 * 256 * 6 * 192 * 128);
  });

  it("computes every slot of a capacity factor, and each choice once when dropless", async () => {
    const forward = async (capacityFactor: number | string) =>
      (await workOf({ moe: { capacityFactor } })).layers[0]?.forward ?? 0;
    const expert = 4 * 256 * 2 * (2 * 3 * 192 * 256);
    assert.equal((await forward(1.5)) - (await forward(1)), expert / 2);
    assert.equal(await forward("dropless"), await forward(1));
  });

  it("splits evenly over tensor parallelism until key-value heads repeat", async () => {
    const one = (await workOf()).layers[0]?.forward ?? 0;
    const two = (await workOf({}, 2)).layers[0]?.forward ?? 0;
    const six = (await workOf({}, 6)).layers[0]?.forward ?? 0;
    assert.equal(two, one / 2);
    assert.ok(six > one / 6);
  });
});
