import { MoestroError } from "../../errors.ts";
import type { PartitionUnfit } from "../partition/problem.ts";
import { type CompiledTable, compileTable } from "./compiled-table.ts";
import { type Evaluation, StageEvaluator } from "./evaluate-stages.ts";
import { evenCountSplit, evenTimeSplit } from "./even-time-split.ts";
import { fewestAlike } from "./path-bounds.ts";
import { scheduleLowerBoundMs } from "./schedule-bound.ts";
import { type ScheduleProblem, type ScheduleSolution, tableOfProblem } from "./schedule-problem.ts";
import { solutionOf } from "./schedule-solution.ts";
import { searchSplits } from "./split-search.ts";
import { WorkSums } from "./work-sums.ts";

export interface SolveScheduleOptions {
  /** Passes to simulate in all; the default takes some 50 ms. A count, so plans repeat exactly. */
  maxPasses?: number | undefined;
  /** Fresh starts in a row that may find nothing better before the search ends. */
  patience?: number | undefined;
  /** What no split beats, where the caller knows it better than schedule-bound.ts. */
  boundMs?: number | undefined;
}

const DEFAULT_PASSES = 500_000;
const DEFAULT_PATIENCE = 20;

/**
 * Layers of each stage and recompute of each layer for a schedule of any kind:
 * starts from the even splits by time, by count and by weights, and searches from
 * there (split-search.ts) for the shortest simulated step.
 *
 * @throws MoestroError `no_plan` when the schedule's sizes are illegal
 */
export function solveSchedule(
  problem: ScheduleProblem,
  {
    maxPasses = DEFAULT_PASSES,
    patience = DEFAULT_PATIENCE,
    boundMs: known,
  }: SolveScheduleOptions = {},
): ScheduleSolution | PartitionUnfit {
  const { starts: fixed } = problem;
  const compiled = legalTable(problem);
  const boundMs = known ?? scheduleLowerBoundMs(problem, compiled.table);
  const sums = new WorkSums(problem.layers);
  const rough = roughTable(problem, compiled);
  const evaluator = new StageEvaluator(problem, compiled, sums, rough);
  const { numStages } = compiled;
  const numLayers = problem.layers.length;
  const passes = rough.kinds.reduce((sum, own) => sum + own.length, 0);
  const maxSimulations = Math.max(2, Math.ceil(maxPasses / passes));

  const begun =
    fixed === undefined
      ? [
          evenTimeSplit(sums.timesMs, numStages),
          evenCountSplit(numLayers, numStages),
          evenTimeSplit(sums.staticShares, numStages),
        ]
      : [[...fixed]];
  // Splits that do not fit cost no simulation: bound them too.
  let tries = fixed === undefined ? 8 * maxSimulations : 0;
  const estimate = (starts: number[]) => {
    tries--;
    return evaluator.estimate(starts);
  };
  const isSpent = ({ simulatedMs }: Evaluation) =>
    evaluator.numSimulations >= maxSimulations || tries <= 0 || simulatedMs <= boundMs;
  let best = searchSplits(begun, estimate, patience, isSpent);
  if (best.missingBytes > 0) {
    const missing = best.choices.map((choice) => choice.missingBytes);
    const missingBytes = Math.max(...missing);
    const rank = missing.indexOf(missingBytes);
    const gb = (missingBytes / 1e9).toFixed(2);
    return {
      missingBytes,
      reason: `rank ${rank} lacks ${gb} GB in every ${problem.schedule} split tried`,
    };
  }
  if (rough !== compiled) best = { starts: best.starts, ...evaluator.evaluate(best.starts) };
  return solutionOf(problem, compiled.table, best, {
    sums,
    simulations: evaluator.numSimulations,
    boundMs: Math.min(best.simulatedMs, boundMs),
  });
}

/** Rounds of micro-batches, one a rank, that tell one split from another. */
const ROUGH_ROUNDS = 2;

/** The table of a few micro-batches that begins and ends like the whole one. */
function roughTable(problem: ScheduleProblem, compiled: CompiledTable): CompiledTable {
  const { schedule, stages, microBatches } = problem;
  const few = fewestAlike(schedule, stages, microBatches, ROUGH_ROUNDS);
  if (few >= microBatches) return compiled;
  return compileTable(tableOfProblem({ ...problem, microBatches: few }));
}

/** The compiled table. @throws MoestroError when the problem's sizes allow none */
export function legalTable(problem: ScheduleProblem) {
  const { layers, schedule } = problem;
  try {
    const table = tableOfProblem(problem);
    const numStages = table.rankOfStage.length;
    if (layers.length < numStages) {
      throw new RangeError(`${layers.length} layers cannot fill ${numStages} stages`);
    }
    return compileTable(table);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new MoestroError("no_plan", `schedule ${schedule}: ${error.message}`);
  }
}
