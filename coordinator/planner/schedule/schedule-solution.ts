import type { Evaluation } from "./evaluate-stages.ts";
import type { ScheduleProblem, ScheduleSolution, ScheduleStage } from "./schedule-problem.ts";
import { inFlightVectors, type ScheduleTable, stageOf } from "./table.ts";
import type { WorkSums } from "./work-sums.ts";

/** A split that fits, in the words of the solution. */
export function solutionOf(
  problem: ScheduleProblem,
  table: ScheduleTable,
  { starts, choices, simulatedMs }: Evaluation & { starts: readonly number[] },
  { sums, boundMs, simulations }: { sums: WorkSums; boundMs: number; simulations: number },
): ScheduleSolution {
  const stages: ScheduleStage[] = [];
  for (const [rank, choice] of choices.entries()) {
    const vectors = inFlightVectors(table, rank);
    for (const [chunk, indices] of choice.options.entries()) {
      const stage = stageOf(table, rank, chunk);
      const from = starts[stage] as number;
      const to = starts[stage + 1] as number;
      const options = indices.flatMap(
        (option, index) => problem.layers[from + index]?.options[option] ?? [],
      );
      const recomputeMs = options.reduce((sum, option) => sum + option.extraBackwardMs, 0);
      stages[stage] = {
        rank,
        chunk,
        layers: [from, to - 1],
        recompute: options.map((option) => option.name),
        forwardMs: sums.forwardMs(from, to),
        backwardMs: sums.backwardMs(from, to) + recomputeMs,
        weightGradMs: sums.weightGradMs(from, to),
        forwardCommunicationMs: sums.forwardCommunicationMs(from, to),
        backwardCommunicationMs: sums.backwardCommunicationMs(from, to),
        recomputeMs,
        staticBytes: sums.staticBytes(from, to),
        activationBytes: options.reduce((sum, option) => sum + option.activationBytes, 0),
        inFlightMicroBatches: Math.max(...vectors.map((counts) => counts[chunk] ?? 0)),
        workspaceBytes: Math.max(...options.map((option) => option.workspaceBytes ?? 0)),
      };
    }
  }
  return {
    stages,
    memoryBytesOfRank: choices.map((choice) => choice.memoryBytes),
    simulatedMs,
    boundMs,
    gap: simulatedMs > 0 ? (simulatedMs - boundMs) / simulatedMs : 0,
    simulations,
  };
}
