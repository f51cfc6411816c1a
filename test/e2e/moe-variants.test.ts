import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { MetricsRecord } from "../../coordinator/report/records.ts";
import { tinyJob, tinyTraining, Workplace } from "./moestro.ts";

const place = new Workplace();
after(() => place.remove());

/** A dense layer, then two with experts beside a shared one, balanced by biases. */
function variantJob(steps: number, biasUpdateSpeed: number): string {
  return tinyJob({
    model: {
      ...{ layers: 3, hiddenSize: 32, heads: 2, kvHeads: 2, ffnHiddenSize: 32, vocabSize: 256 },
      ...{ denseLayers: 1, denseFfnHiddenSize: 64, sharedFfnHiddenSize: 32 },
    },
    // A rate that does not depend on the number of steps, to compare runs of different lengths.
    training: { ...tinyTraining(steps), minLearningRate: 0.01 },
    moe: {
      ...{ experts: 4, topK: 2, gateFunction: "sigmoid", gateNormalization: false },
      ...{ capacityFactor: 1, dropPolicy: "position", padding: false },
      ...{ zLoss: 0.001, balancing: "bias" },
    },
    controller: { strict: true, biasUpdateSpeed },
    layout: { pipelineParallel: 2, tensorParallel: 1, scheme: "edp" },
    cluster: { ranks: 2, device: "cpu" },
  });
}

async function train(runId: string, job: string, ...more: string[]): Promise<MetricsRecord[]> {
  place.write(`${runId}.yaml`, job);
  const which = more.length > 0 ? more : ["--run-id", runId];
  const { exitCode, stderr } = await place.run(["train", `${runId}.yaml`, "--plain", ...which]);
  assert.equal(exitCode, 0, stderr);
  return place.metrics(runId);
}

/** Assignments of a layer's busiest expert over the mean, over some steps. */
function worstLoad(records: readonly MetricsRecord[], layer: number): number {
  const loads = records.flatMap(({ layers }) => layers.filter((one) => one.layer === layer));
  const total = [0, 1, 2, 3].map((e) =>
    loads.reduce((sum, { expertLoad }) => sum + (expertLoad[e] ?? 0), 0),
  );
  return (Math.max(...total) * 4) / total.reduce((sum, count) => sum + count, 0);
}

test("biases balance a model with a dense layer and shared experts, and survive a resume", async () => {
  const unbalanced = await train("speed-0", variantJob(30, 0));
  const balanced = await train("speed-1", variantJob(30, 0.01));
  for (const { layers } of balanced) {
    assert.deepEqual(
      layers.map(({ layer, auxCoeff }) => [layer, auxCoeff]),
      [
        [1, 0],
        [2, 0],
      ],
    );
    assert.ok(layers.every(({ zLoss = 0, expertLoad }) => zLoss > 0 && expertLoad.length === 4));
  }
  const worst = (records: MetricsRecord[]) =>
    Math.max(worstLoad(records.slice(20), 1), worstLoad(records.slice(20), 2));
  assert.ok(worst(balanced) < worst(unbalanced), `${worst(balanced)}, ${worst(unbalanced)}`);
  // The same run in two parts: without its biases the second would choose other experts.
  await train("parts", variantJob(20, 0.01));
  const parts = await train("parts", variantJob(30, 0.01), "--resume", "parts");
  const loads = (records: MetricsRecord[]) =>
    records.map(({ step, layers }) => [step, layers.map(({ expertLoad }) => expertLoad)]);
  assert.deepEqual(loads(parts), loads(balanced));
});
