import highs from "highs";
import type { PartitionUnfit } from "../partition/problem.ts";
import { legalTable, solveSchedule } from "./best-schedule.ts";
import { StageEvaluator } from "./evaluate-stages.ts";
import { choiceName, scheduleMilp } from "./schedule-milp.ts";
import type { ScheduleProblem, ScheduleSolution } from "./schedule-problem.ts";
import { solutionOf } from "./schedule-solution.ts";
import { WorkSums } from "./work-sums.ts";

export interface CertifyOptions {
  /** Of the mixed integer solver, and of the linear one before it. */
  timeLimitSeconds: number;
}

/** Relative: what the solver may leave open and still call optimal. */
const SOLVER_GAP = 1e-4;

/**
 * `solveSchedule`, then HiGHS: its linear relaxation bounds the step in this order
 * from below, and the mixed integer programme, when it ends in time, raises the
 * bound to the optimum and may find a better split.
 */
export async function certifySchedule(
  problem: ScheduleProblem,
  { timeLimitSeconds }: CertifyOptions,
): Promise<ScheduleSolution | PartitionUnfit> {
  const heuristic = solveSchedule(problem);
  const { table, numStages } = legalTable(problem);
  // The package's types are those of its CommonJS build, where the loader is `default`.
  const solver = await (highs as unknown as typeof highs.default)();
  const options = { time_limit: timeLimitSeconds, mip_rel_gap: SOLVER_GAP };
  let boundMs = "boundMs" in heuristic ? heuristic.boundMs : 0;
  const relaxed = solver.solve(scheduleMilp(problem, table, true), {
    time_limit: timeLimitSeconds,
  });
  // The solvers' own tolerance, off the bound so that it stays one.
  if (relaxed.Status === "Optimal") {
    boundMs = Math.max(boundMs, relaxed.ObjectiveValue * (1 - 1e-6));
  }
  const exact = solver.solve(scheduleMilp(problem, table, false), options);
  if (exact.Status === "Optimal") {
    boundMs = Math.max(boundMs, exact.ObjectiveValue * (1 - SOLVER_GAP));
  }

  let best = heuristic;
  const found = "Columns" in exact ? readChoice(problem, numStages, exact.Columns) : undefined;
  if (found) {
    const compiled = legalTable(problem);
    const sums = new WorkSums(problem.layers);
    const evaluation = new StageEvaluator(problem, compiled, sums).evaluate(
      found.starts,
      found.options,
    );
    const fits = evaluation.missingBytes <= 0;
    const faster = "missingBytes" in best || evaluation.simulatedMs < best.simulatedMs;
    if (fits && faster) {
      const simulations = ("simulations" in heuristic ? heuristic.simulations : 0) + 1;
      const split = { starts: found.starts, ...evaluation };
      best = solutionOf(problem, table, split, { sums, boundMs, simulations });
    }
  }
  if ("missingBytes" in best) return best;
  boundMs = Math.min(boundMs, best.simulatedMs);
  const gap = best.simulatedMs > 0 ? (best.simulatedMs - boundMs) / best.simulatedMs : 0;
  return { ...best, boundMs, gap };
}

/** Split and options of the solver's best answer; undefined when it has none. */
function readChoice(
  { layers }: ScheduleProblem,
  numStages: number,
  columns: Record<string, object>,
): { starts: number[]; options: number[] } | undefined {
  const starts = new Array<number>(numStages).fill(-1);
  const options: number[] = [];
  for (const [layer, each] of layers.entries()) {
    for (let stage = 0; stage < numStages; stage++) {
      for (const option of each.options.keys()) {
        const column = columns[choiceName(layer, stage, option)];
        if (!column || !("Primal" in column) || Number(column.Primal) < 0.5) continue;
        options[layer] = option;
        if (starts[stage] === -1) starts[stage] = layer;
      }
    }
  }
  const complete = starts.every((start) => start >= 0);
  const chosen = layers.every((_, layer) => options[layer] !== undefined);
  return complete && chosen ? { starts: [...starts, layers.length], options } : undefined;
}
