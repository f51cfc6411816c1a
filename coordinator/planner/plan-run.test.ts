import assert from "node:assert/strict";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { planSnapshot } from "../cli/plan/plan-snapshot.ts";
import { readManifest } from "../kubernetes/read-manifest.ts";
import { planRun } from "./plan-run.ts";

const sample = async (name: string) => {
  const path = fileURLToPath(new URL(`../../k8s/samples/${name}.yaml`, import.meta.url));
  return (await readManifest(path)).file;
};

it("what the engine runs on GPUs is what people are shown as the plan", async () => {
  const file = await sample("mixtral-8x7b-h100");
  const { layout, stages, predicted } = JSON.parse(await planSnapshot(file)).best;
  const plan = planRun(file.job, 16);
  const { $typeName: _, scheme: __, ...sizes } = plan.layout ?? { $typeName: "", scheme: 0 };
  for (const [name, size] of Object.entries(sizes)) assert.equal(size, layout[name], name);
  assert.equal(plan.microBatchSize, layout.microBatchSize);
  assert.equal(plan.numMicroBatches, layout.numMicroBatches);
  assert.deepEqual(
    plan.stages.map(({ firstLayer, numLayers, pipelineRank }) => ({
      layers: [firstLayer, firstLayer + numLayers - 1],
      pipelineRank,
    })),
    stages.map(({ layers, pipelineRank }: { layers: number[]; pipelineRank: number }) => ({
      ...{ layers, pipelineRank },
    })),
  );
  assert.deepEqual(plan.prediction?.memoryBytes, predicted.memoryBytesPerStage);
});

it("GPUs that cannot hold the model are no size of the run", async () => {
  const { job } = await sample("mixtral-8x7b-h100");
  assert.throws(() => planRun(job, 8), /^MoestroError: mixtral-8x7b: nothing fits 8 x H100/);
});

it("a job for whichever ranks there are is planned by its FLOPs", async () => {
  const { job } = await sample("quickstart");
  assert.equal(planRun(job, 4).worldSize, 4);
});
