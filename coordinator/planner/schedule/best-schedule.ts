import { MoestroError } from "../../errors.ts";
import type { PartitionUnfit } from "../partition/problem.ts";
import { compileTable } from "./compiled-table.ts";
import { type Evaluation, StageEvaluator } from "./evaluate-stages.ts";
import { evenTimeSplit } from "./even-time-split.ts";
import { scheduleLowerBoundMs } from "./schedule-bound.ts";
import { type ScheduleProblem, type ScheduleSolution, tableOfProblem } from "./schedule-problem.ts";
import { solutionOf } from "./schedule-solution.ts";
import { WorkSums } from "./work-sums.ts";

export interface SolveScheduleOptions {
  /** Passes to simulate in all; the default takes some 50 ms. A count, so plans repeat exactly. */
  maxPasses?: number | undefined;
}

const DEFAULT_PASSES = 500_000;

interface Candidate extends Evaluation {
  starts: number[];
}

/**
 * Layers of each stage and recompute of each layer for a schedule of any kind:
 * starts from the even split by time and by count, then moves single layers
 * between stages as long as the simulated step gets shorter.
 *
 * @throws MoestroError `no_plan` when the schedule's sizes are illegal
 */
export function solveSchedule(
  problem: ScheduleProblem,
  { maxPasses = DEFAULT_PASSES }: SolveScheduleOptions = {},
): ScheduleSolution | PartitionUnfit {
  const compiled = legalTable(problem);
  const sums = new WorkSums(problem.layers);
  const evaluator = new StageEvaluator(problem, compiled, sums);
  const { numStages, kinds } = compiled;
  const numLayers = problem.layers.length;
  const passes = kinds.reduce((sum, own) => sum + own.length, 0);
  const maxSimulations = Math.max(2, Math.ceil(maxPasses / passes));

  const times = [
    (from: number, to: number) => sums.forwardMs(from, to) + sums.backwardMs(from, to),
    (from: number, to: number) => to - from,
    (from: number, to: number) => sums.staticBytes(from, to) / 1e9,
  ];
  const begun = times.map((time): Candidate => {
    const starts = evenTimeSplit(numLayers, numStages, time);
    return { starts, ...evaluator.evaluate(starts) };
  });
  let best = begun.reduce((a, b) => (better(b, a) ? b : a));
  // Splits that do not fit cost no simulation: bound them too.
  let tries = 8 * maxSimulations;
  const spent = () => evaluator.numSimulations >= maxSimulations || tries <= 0;
  for (let improved = true; improved && !spent(); ) {
    improved = false;
    for (const starts of neighbours(best.starts)) {
      if (spent()) break;
      tries--;
      const next: Candidate = { starts, ...evaluator.evaluate(starts) };
      if (better(next, best)) {
        best = next;
        improved = true;
        break;
      }
    }
  }
  if (best.missingBytes > 0) {
    const rank = best.choices.findIndex((choice) => choice.missingBytes > 0);
    const missingBytes = best.choices[rank]?.missingBytes ?? 0;
    const gb = (missingBytes / 1e9).toFixed(2);
    return {
      missingBytes,
      reason: `rank ${rank} lacks ${gb} GB in every ${problem.schedule} split tried`,
    };
  }
  return solutionOf(problem, compiled.table, best, {
    sums,
    simulations: evaluator.numSimulations,
    boundMs: Math.min(best.simulatedMs, scheduleLowerBoundMs(problem)),
  });
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

function better(a: Evaluation, b: Evaluation): boolean {
  if (a.missingBytes !== b.missingBytes) return a.missingBytes < b.missingBytes;
  return a.simulatedMs < b.simulatedMs * (1 - 1e-9);
}

/** One layer less in one stage and one more in another, near pairs first. */
function* neighbours(starts: readonly number[]): Generator<number[]> {
  const numStages = starts.length - 1;
  for (let distance = 1; distance < numStages; distance++) {
    for (let low = 0; low + distance < numStages; low++) {
      const high = low + distance;
      for (const move of [1, -1]) {
        const donor = move > 0 ? high : low;
        if ((starts[donor + 1] as number) - (starts[donor] as number) < 2) continue;
        yield starts.map((start, stage) => (stage > low && stage <= high ? start + move : start));
      }
    }
  }
}
