import type { ScheduleName } from "../plan-document.ts";
import type { PlanProblem } from "../problem-of-job.ts";
import type { Constraints } from "../search/constraints.ts";
import { searchLayouts } from "../search/search-layouts.ts";

/** Questions after which no more are asked: a count and not a clock, so that answers repeat. */
const MAX_TRIED = 32;

/** Questions whether a problem has a plan, each answered by at most two searches. */
export class Trials {
  numTried = 0;

  /** Whether a search finds a plan; false without one when too much was asked before. */
  fits({ workload, constraints }: PlanProblem): boolean {
    if (this.numTried >= MAX_TRIED) return false;
    this.numTried++;
    return leastMemory(constraints).some(
      (narrowed) => searchLayouts(workload, narrowed).best !== undefined,
    );
  }
}

/** By the memory that they need, least first; DualPipeV holds weights twice. */
const FRUGAL: readonly ScheduleName[] = [
  "1f1b",
  "zero-bubble",
  "interleaved",
  "dualpipev",
  "gpipe",
];

/**
 * The corner of the constraints where plans need least memory, which is much
 * smaller than the whole: micro-batches of one sequence, since a pipeline keeps at
 * least as many sequences alive in larger ones, as much recompute as is allowed,
 * one schedule, and no more chunks than it needs. Under 1F1B even stages are tried
 * first, for they are found fastest.
 */
function leastMemory(constraints: Constraints): Constraints[] {
  const { recompute, schedules, virtualPipeline, layersPerStage } = constraints;
  const kind = (["full", "selective"] as const).find((kind) => recompute.includes(kind));
  const isChunked = virtualPipeline !== undefined && virtualPipeline > 1;
  const isCut = layersPerStage !== undefined;
  const schedule = FRUGAL.find(
    (name) => schedules.includes(name) && (!isChunked || name === "interleaved"),
  );
  const narrowed: Constraints = {
    ...constraints,
    microBatchSize: constraints.microBatchSize ?? 1,
    recompute: kind === undefined ? recompute : [kind],
    schedules: schedule === undefined ? schedules : [schedule],
    virtualPipeline: virtualPipeline ?? (isCut || schedule !== "interleaved" ? undefined : 2),
  };
  const mayBeEven = schedule === "1f1b" && !isCut;
  return mayBeEven ? [{ ...narrowed, evenStages: true }, narrowed] : [narrowed];
}
