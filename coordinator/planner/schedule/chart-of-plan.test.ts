import assert from "node:assert/strict";
import { test } from "node:test";
import { RECOMPUTE_KINDS, type Workload } from "../cost/workload.ts";
import { clusterPreset } from "../hardware/presets.ts";
import { MODEL_SHAPES } from "../model/shapes.ts";
import type { PlanChoice, ScheduleName } from "../plan-document.ts";
import { planChoice } from "../search/plan-choice.ts";
import { searchLayouts } from "../search/search-layouts.ts";
import { chartOfPlan, numPassesOf } from "./chart-of-plan.ts";

const WORKLOAD: Workload = {
  model: MODEL_SHAPES["mixtral-8x7b"],
  cluster: clusterPreset("h100", 4, 8),
  sequenceLength: 4096,
  globalBatchSize: 256,
  precision: "bf16",
  capacityFactor: 1.25,
  imbalance: 1,
  optimizerSharding: "zero1",
  stack: "megatron",
};

function choiceUnder(schedule: ScheduleName): PlanChoice {
  const { best } = searchLayouts(WORKLOAD, {
    ranks: 32,
    fixed: { pipelineParallel: 4 },
    schedules: [schedule],
    recompute: RECOMPUTE_KINDS,
    target: "any",
  });
  assert.ok(best !== undefined, schedule);
  return planChoice(best);
}

for (const schedule of ["gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipev"] as const) {
  test(`the chart of a plan under ${schedule} shows its step, pass by pass`, () => {
    const choice = choiceUnder(schedule);
    const { predicted, layout } = choice;
    assert.equal(layout.schedule, schedule);
    const { spanMs, ranks } = chartOfPlan(choice);
    assert.ok(Math.abs(spanMs / predicted.stepTimeMs - 1) < 1e-9);
    const passes = ranks.flatMap(({ blocks }) => blocks.filter(({ kind }) => kind !== "optimizer"));
    assert.ok(passes.length <= numPassesOf(choice));
    assert.equal(
      passes.filter(({ kind }) => kind === "forward").length,
      choice.stages.length * layout.numMicroBatches,
    );
    for (const { rank, blocks, memory } of ranks) {
      for (const [index, { startMs, endMs }] of blocks.entries()) {
        assert.ok(startMs >= (blocks[index - 1]?.endMs ?? 0) - 1e-6 && endMs >= startMs);
      }
      const peak = Math.max(...memory.map(({ bytes }) => bytes));
      const planned = predicted.memoryBytesPerStage[rank] ?? 0;
      assert.ok(peak <= planned * (1 + 1e-9), `rank ${rank}: ${peak} of ${planned}`);
      assert.ok(peak > 0.9 * planned, `rank ${rank}: ${peak} of ${planned}`);
      assert.ok(planned <= predicted.memoryLimitBytes);
    }
  });

  test(`the parts of a step under ${schedule} sum to it`, () => {
    const { predicted } = choiceUnder(schedule);
    const sum = Object.values(predicted.breakdown).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum / predicted.stepTimeMs - 1) < 1e-9, `${sum} ${predicted.stepTimeMs}`);
  });
}
