// Speed of the event-driven simulator, and every schedule on equal and unequal stages.
//
//   node test/bench/schedules.ts
import type { ScheduleName } from "../../coordinator/planner/plan-document.ts";
import {
  makespanOf,
  simulateSchedule,
} from "../../coordinator/planner/schedule/event-simulator.ts";
import { scheduleTable } from "../../coordinator/planner/schedule/schedule-table.ts";
import type { StageCosts } from "../../coordinator/planner/schedule/stage-costs.ts";
import { table } from "../../coordinator/planner/text-table.ts";

const SCHEDULES: ScheduleName[] = ["gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipev"];
const sizes = { numRanks: 16, numMicroBatches: 512 };

console.log(`${sizes.numRanks} ranks, ${sizes.numMicroBatches} micro-batches:`);
const speed = [["schedule", "passes", "makespan only", "passes/s", "with timeline"]];
for (const schedule of SCHEDULES) {
  const order = scheduleTable({ schedule, ...sizes });
  const stages = stagesOf(order.rankOfStage.length, order.chunksPerRank, 0);
  const passes = order.passes.reduce((sum, own) => sum + own.length, 0);
  const runs = 20;
  makespanOf(order, stages);
  const ms = time(() => {
    for (let run = 0; run < runs; run++) makespanOf(order, stages);
  });
  const whole = time(() => simulateSchedule(order, stages));
  speed.push([
    schedule,
    `${passes}`,
    `${(ms / runs).toFixed(2)} ms`,
    `${((passes * runs) / ms / 1e3).toFixed(1)} M`,
    `${whole.toFixed(0)} ms`,
  ]);
}
console.log(table(speed).join("\n"));

for (const skew of [0, 0.25]) {
  console.log(`\n8 ranks, 32 micro-batches, ${skew === 0 ? "equal stages" : "stages ±25 %"}:`);
  const rows = [
    ["schedule", "step", "bubble", "ideal", "imbalance", "recompute", "communication", "in flight"],
  ];
  for (const schedule of SCHEDULES) {
    const order = scheduleTable({ schedule, numRanks: 8, numMicroBatches: 32 });
    const stages = stagesOf(order.rankOfStage.length, order.chunksPerRank, skew);
    const { makespanMs, bubble, ranks } = simulateSchedule(order, stages, { p2pMs: 0.2 });
    const { totalMs, idealMs, imbalanceMs, recomputeMs, communicationMs } = bubble;
    rows.push([
      schedule,
      `${makespanMs.toFixed(0)} ms`,
      `${((100 * totalMs) / makespanMs).toFixed(1)} %`,
      ...[idealMs, imbalanceMs, recomputeMs, communicationMs].map((ms) => `${ms.toFixed(1)} ms`),
      `${Math.max(...ranks.map((rank) => rank.peakInFlight)) / order.chunksPerRank}`,
    ]);
  }
  console.log(table(rows).join("\n"));
}

/** Stages that take turns in being longer and shorter; a chunk has its share of a rank's work. */
function stagesOf(count: number, chunks: number, skew: number): StageCosts[] {
  return Array.from({ length: count }, (_, stage) => {
    const scale = (1 + (stage % 2 === 0 ? skew : -skew)) / chunks;
    return {
      forwardMs: 10 * scale,
      inputGradMs: 13 * scale,
      weightGradMs: 9 * scale,
      recomputeMs: 2 * scale,
      activationBytes: 1e9 * scale,
      staticBytes: 10e9 * scale,
      forwardCommunicationMs: 2 * scale,
      backwardCommunicationMs: 2 * scale,
    };
  });
}

function time(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}
