import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PartitionLayer } from "../partition/problem.ts";
import { sampleProblems } from "../partition/sample-problems.ts";
import { problemArbitrary } from "../partition/testing.ts";
import type { ScheduleName } from "../plan-document.ts";
import { solveSchedule } from "./best-schedule.ts";
import { certifySchedule } from "./certify-schedule.ts";
import { simulateSchedule } from "./event-simulator.ts";
import { pytorchCannotRun } from "./pytorch-cannot-run.ts";
import { memoryOfRank, tableOfProblem } from "./schedule-problem.ts";
import { scheduleIllegal } from "./schedule-table.ts";
import { costsOfStage } from "./stage-costs.ts";

const small = problemArbitrary({ maxLayers: 7, maxStages: 3, maxMicroBatches: 6 });

/** A layer a part of whose time is communication, which DualPipeV may hide. */
function communicating(layer: PartitionLayer, index: number): PartitionLayer {
  return {
    ...layer,
    forwardCommunicationMs: layer.forwardMs * (index % 3 === 0 ? 0.5 : 0.2),
    backwardCommunicationMs: layer.backwardMs * (index % 2 === 0 ? 0.4 : 0),
  };
}

test("HiGHS finds no step shorter than the bound, and the search comes near its optimum", async () => {
  let compared = 0;
  for (const schedule of ["1f1b", "interleaved", "zero-bubble", "dualpipev"] as const) {
    for (const each of fc.sample(small, { numRuns: 25, seed: 11 })) {
      const problem = { ...each, layers: each.layers.map(communicating), schedule };
      const { stages, microBatches, layers } = problem;
      if (scheduleIllegal({ schedule, numRanks: stages, numMicroBatches: microBatches })) continue;
      if (layers.length < tableOfProblem(problem).rankOfStage.length) continue;
      const found = solveSchedule(problem);
      const certified = await certifySchedule(problem, { timeLimitSeconds: 20 });
      if ("missingBytes" in found || "missingBytes" in certified) continue;
      compared++;
      assert.ok(certified.gap < 2e-4, `${schedule}: gap ${certified.gap}`);
      assert.ok(found.boundMs <= certified.simulatedMs + 1e-6);
      assert.ok(found.simulatedMs <= 1.1 * certified.simulatedMs);
    }
  }
  assert.ok(compared >= 20, `only ${compared} problems compared`);
});

test("solutions of real size cut the layers in order and fit when simulated", () => {
  for (const { name, problem } of sampleProblems().slice(0, 3)) {
    for (const schedule of ["interleaved", "zero-bubble", "dualpipev"] as ScheduleName[]) {
      const asked = { ...problem, schedule };
      const solution = solveSchedule(asked, { maxPasses: 200_000 });
      if ("missingBytes" in solution) continue;
      let next = 0;
      for (const { layers, recompute } of solution.stages) {
        assert.equal(layers[0], next, name);
        assert.equal(recompute.length, layers[1] - layers[0] + 1);
        next = layers[1] + 1;
      }
      assert.equal(next, problem.layers.length);
      const { p2pMs } = problem;
      const timeline = simulateSchedule(tableOfProblem(asked), solution.stages.map(costsOfStage), {
        p2pMs,
      });
      assert.ok(Math.abs(timeline.makespanMs / solution.simulatedMs - 1) < 1e-9);
      for (const { rank, peakBytes } of timeline.ranks) {
        const planned = solution.memoryBytesOfRank[rank] ?? 0;
        assert.ok(peakBytes <= planned * (1 + 1e-9), `${name}, ${schedule}, rank ${rank}`);
        assert.ok(planned <= memoryOfRank(problem, rank));
      }
    }
  }
});

test("sizes that a schedule cannot have are refused with the rule", () => {
  const cases = [
    [{ schedule: "dualpipev", numRanks: 4, numMicroBatches: 7 }, /at least 8, not 7/],
    [{ schedule: "interleaved", numRanks: 1, numMicroBatches: 8 }, /at least 2 pipeline ranks/],
    [
      { schedule: "interleaved", numRanks: 4, numMicroBatches: 9, groupSize: 4 },
      /leave 1, fewer than 4/,
    ],
    [{ schedule: "interleaved", numRanks: 4, numMicroBatches: 3 }, /not between/],
    [{ schedule: "zero-bubble", numRanks: 4, numMicroBatches: 8, chunksPerRank: 2 }, /1 chunks/],
    [{ schedule: "gpipe", numRanks: 0, numMicroBatches: 8 }, /0 is no number of ranks/],
  ] as const;
  for (const [choice, reason] of cases) assert.match(scheduleIllegal(choice) ?? "", reason);
  assert.equal(
    scheduleIllegal({ schedule: "interleaved", numRanks: 4, numMicroBatches: 9 }),
    undefined,
  );
});

test("PyTorch runs no zero-bubble schedule with selective recompute or torch.compile", () => {
  assert.match(pytorchCannotRun("zero-bubble", ["none", "selective"], false) ?? "", /selective/);
  assert.match(pytorchCannotRun("zero-bubble", ["full"], true) ?? "", /torch.compile/);
  assert.equal(pytorchCannotRun("zero-bubble", ["none", "full"], false), undefined);
  assert.equal(pytorchCannotRun("1f1b", ["selective"], true), undefined);
});
