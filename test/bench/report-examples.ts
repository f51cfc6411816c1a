/**
 * The examples of the Skywork-MoE report (arXiv 2406.06563) in this planner's
 * numbers: node test/bench/report-examples.ts
 */
import { clusterPreset } from "../../coordinator/planner/hardware/presets.ts";
import type { ModelShape } from "../../coordinator/planner/model/model-shape.ts";
import { MODEL_SHAPES } from "../../coordinator/planner/model/shapes.ts";
import { solvePartition } from "../../coordinator/planner/partition/solve-partition.ts";
import { makespan1F1B } from "../../coordinator/planner/schedule/simulate-1f1b.ts";
import { planChoice } from "../../coordinator/planner/search/plan-choice.ts";
import { searchLayouts } from "../../coordinator/planner/search/search-layouts.ts";
import { table } from "../../coordinator/planner/text-table.ts";

/** One layer takes 1 forward and 2 backward; the head weighs a share of it. */
const HEAD = 0.5;

function step(layersPerStage: readonly number[], numMicroBatches: number): number {
  const last = layersPerStage.length - 1;
  const forward = layersPerStage.map((count, stage) => count + (stage === last ? HEAD : 0));
  const backward = forward.map((time) => 2 * time);
  return makespan1F1B(forward, backward, numMicroBatches, 0);
}

/** Share of the step in which the mean stage waits. */
function bubble(layersPerStage: readonly number[], numMicroBatches: number): number {
  const work = 3 * (layersPerStage.reduce((sum, count) => sum + count, 0) + HEAD);
  const busy = (numMicroBatches * work) / layersPerStage.length;
  return 1 - busy / step(layersPerStage, numMicroBatches);
}

function twentyFourLayers(): void {
  console.log(`24 layers, head of ${HEAD} layers; time in forwards of one layer`);
  const rows = [8, 16, 40, 80].flatMap((batch) => {
    const four = [6, 6, 6, 6];
    const five = [5, 5, 5, 5, 4];
    const asReported = step(five, batch) / step(four, batch) - 1;
    // 20 pipelines' worth of GPUs: 5 replicas of 4 stages, or 4 replicas of 5.
    const equalFour = step(four, 4 * batch);
    const equalFive = step(five, 5 * batch);
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    return [
      [
        String(batch),
        step(four, batch).toFixed(1),
        step(five, batch).toFixed(1),
        percent(asReported),
        percent(bubble(four, batch)),
        percent(bubble(five, batch)),
        percent(equalFive / equalFour - 1),
      ],
    ];
  });
  const heads = [
    "micro-batches",
    "[6,6,6,6]",
    "[5,5,5,5,4]",
    "as the report has it (5 stages for 4)",
    "bubble of 4",
    "bubble of 5",
    "at equal GPUs",
  ];
  for (const line of table([heads, ...rows])) console.log(`  ${line}`);
}

function fiftyTwoLayers(): void {
  const layer = (index: number) => ({
    name: `layer ${index}`,
    forwardMs: 1,
    backwardMs: 2,
    staticBytes: 0,
    options: [{ name: "none", extraBackwardMs: 0, activationBytes: 0 }],
  });
  const layers = Array.from({ length: 52 }, (_, index) => layer(index));
  const head = { ...layer(52), name: "head", forwardMs: HEAD, backwardMs: 2 * HEAD };
  const microBatches = 64;
  const solution = solvePartition({
    stages: 12,
    microBatches,
    p2pMs: 0,
    memoryBytes: 1,
    layers: [...layers, head],
  });
  if ("missingBytes" in solution) throw new Error(solution.reason);
  const counts = solution.stages.map(({ layers: [first, last] }) => last - first + 1);
  counts[11] = (counts[11] as number) - 1;
  const even = step([5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4], microBatches);
  console.log(
    `52 layers on 12 stages, ${microBatches} micro-batches: [${counts}], ${solution.simulatedMs.toFixed(1)} (gap ${(100 * solution.gap).toFixed(3)} %); larger stages first: ${even.toFixed(1)}`,
  );
}

function twoGpus(): void {
  const mixtral = MODEL_SHAPES["mixtral-8x7b"] as ModelShape;
  const { moe } = mixtral;
  if (moe === undefined) throw new Error("Mixtral without experts");
  const model: ModelShape = {
    ...mixtral,
    layers: mixtral.layers.slice(0, 2),
    moe: { ...moe, experts: 4 },
  };
  const { best } = searchLayouts(
    {
      model,
      cluster: clusterPreset("a800", 1, 2),
      sequenceLength: 4096,
      globalBatchSize: 8,
      precision: "bf16",
      capacityFactor: 1.25,
      imbalance: 1,
      optimizerSharding: "zero1",
      stack: "megatron",
    },
    {
      ranks: 2,
      fixed: { scheme: "edp", tensorParallel: 2 },
      schedules: ["1f1b"],
      recompute: ["none"],
      target: "any",
    },
  );
  if (best === undefined) throw new Error("two GPUs hold two layers");
  const { layout } = planChoice(best);
  console.log(
    `EDP on 2 GPUs, 4 experts: TP ${layout.tensorParallel} = EP ${layout.expertParallel}, ${4 / layout.expertParallel} experts on each, expert replicas ${layout.expertDataParallel} = DP ${layout.dataParallel}`,
  );
}

twentyFourLayers();
fiftyTwoLayers();
twoGpus();
