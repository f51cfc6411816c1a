import highs from "highs";
import type { PartitionUnfit } from "../partition/problem.ts";
import { legalTable, solveSchedule } from "./best-schedule.ts";
import { StageEvaluator } from "./evaluate-stages.ts";
import { choiceName, scheduleMilp } from "./schedule-milp.ts";
import type { ScheduleProblem, ScheduleSolution } from "./schedule-problem.ts";
import { solutionOf } from "./schedule-solution.ts";
import { WorkSums } from "./work-sums.ts";

export interface CertifyOptions {
  /** Of the mixed integer solver. */
  timeLimitSeconds: number;
  /** What no split beats, where the caller knows it. */
  boundMs?: number | undefined;
}

/** Relative: what the solver may leave open and still call optimal. */
const SOLVER_GAP = 1e-4;

/** Relative: how far the solver's own tolerances may put a bound off. */
const TOLERANCE = 1e-6;

/**
 * `solveSchedule`, then HiGHS: the mixed integer programme of schedule-milp.ts raises
 * the bound, to the optimum when it ends in time, and may find a better split.
 */
export async function certifySchedule(
  problem: ScheduleProblem,
  { timeLimitSeconds, boundMs: known }: CertifyOptions,
): Promise<ScheduleSolution | PartitionUnfit> {
  const heuristic = solveSchedule(problem, { boundMs: known });
  const { table, numStages } = legalTable(problem);
  const limits =
    "boundMs" in heuristic
      ? { leastMs: heuristic.boundMs, mostMs: heuristic.simulatedMs * (1 + TOLERANCE) }
      : {};
  const exact = await solveMilp(scheduleMilp(problem, table, limits), timeLimitSeconds);
  let boundMs = "boundMs" in heuristic ? heuristic.boundMs : 0;
  if (exact.dualBound !== undefined) {
    boundMs = Math.max(boundMs, exact.dualBound * (1 - TOLERANCE));
  }

  let best = heuristic;
  const found = readChoice(problem, numStages, exact.columns);
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

interface MilpResult {
  columns: Record<string, object>;
  /** What the solver had proved when it ended. */
  dualBound: number | undefined;
}

async function solveMilp(text: string, timeLimitSeconds: number): Promise<MilpResult> {
  const lines: string[] = [];
  // The package's types are those of its CommonJS build, where the loader is `default`.
  const load = highs as unknown as typeof highs.default;
  const solver = await load({ print: (line) => lines.push(line) });
  const { Columns: columns } = solver.solve(text, {
    time_limit: timeLimitSeconds,
    mip_rel_gap: SOLVER_GAP,
  });
  // The bound of a search that was cut short is in the solver's report alone.
  const report = lines.findLast((line) => /^\s*Dual bound\s/.test(line));
  const dualBound = Number(report?.trim().split(/\s+/)[2] ?? Number.NaN);
  return { columns, dualBound: Number.isFinite(dualBound) ? dualBound : undefined };
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
