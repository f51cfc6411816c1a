import type { Job } from "../spec/schema.ts";
import { flopsProblem } from "./flops-problem.ts";
import { limitsOf } from "./layout/check-layout.ts";
import { enumerateLayouts } from "./layout/enumerate-layouts.ts";
import { fixedSizesOf } from "./layout/fixed-sizes.ts";
import { preferredMicroBatches } from "./layout/micro-batch.ts";
import { type Arrangement, runnableArrangements } from "./layout/runnable.ts";
import type { CandidateLayout, SchemeName } from "./layout/sizes.ts";
import { isShorter } from "./partition/compare-times.ts";
import type { ScheduleProblem } from "./schedule/schedule-problem.ts";
import type { ScheduledStages } from "./search/solve-scheduled.ts";
import { solveStages } from "./search/solve-stages.ts";

/** An arrangement with its batch cut up and its model cut into stages; FLOPs stand for milliseconds. */
export interface Choice extends Omit<Arrangement, "microBatchSizes"> {
  microBatchSize: number;
  problem: ScheduleProblem;
  cut: ScheduledStages;
}

export interface Search {
  best: Choice;
  /** Arrangements that are exactly as fast in FLOPs as the best. */
  numEqual: number;
  /** Legal layouts the engine runs; the best is one of them. */
  numRunnable: number;
  /** Legal layouts under all schemes. */
  numLegal: number;
}

/** What comes closest where nothing fits the memory. */
export interface Closest {
  layout: CandidateLayout;
  missingBytes: number;
}

/** Expert schemes in the order of preference between equals. */
const SCHEMES: readonly SchemeName[] = ["edp", "ep", "etp", "folded"];

/** Passes to simulate for the stages of the best, some 50 ms. */
const PASSES_OF_BEST = 500_000;

/** An arrangement not yet cut into stages. */
interface Candidate extends Arrangement {
  /** No split of this candidate is faster. */
  bound: number;
}

/**
 * The runnable layout and schedule of least makespan. Equal ones are decided by fewer
 * stages, then by less tensor parallelism and by scheme, since communication is not
 * counted. For the same reason a job gets no context parallelism that it did not ask
 * for, unless nothing else runs.
 */
export function chooseLayout(job: Job, ranks: number): Search | Closest | undefined {
  const legal = [...enumerateLayouts(limitsOf(job, ranks), fixedSizesOf(job))];
  const runnable = legal
    .map((layout) => runnableArrangements(job, layout).arrangements)
    .filter((arrangements) => arrangements.length > 0);
  const isWhole = ({ layout }: Arrangement) => layout.contextParallel === 1;
  const arrangements = runnable.flat();
  const whole = chooseAmong(job, arrangements.filter(isWhole));
  const found =
    whole !== undefined && "best" in whole
      ? whole
      : (chooseAmong(
          job,
          arrangements.filter((other) => !isWhole(other)),
        ) ?? whole);
  if (found === undefined || !("best" in found)) return found;
  return { ...found, numRunnable: runnable.length, numLegal: legal.length };
}

/** Arrangements whose bound already exceeds the best are never cut into stages. */
function chooseAmong(
  job: Job,
  arrangements: readonly Arrangement[],
): Pick<Search, "best" | "numEqual"> | Closest | undefined {
  const candidates = arrangements
    .map((arrangement): Candidate => ({ ...arrangement, bound: boundOf(job, arrangement) }))
    .sort((a, b) => a.bound - b.bound || bySimplicity(a, b));
  const cutter = new Cutter(job);
  const tried: Choice[] = [];
  let shortest = Number.POSITIVE_INFINITY;
  let closest: Closest | undefined;
  for (const candidate of candidates) {
    if (isShorter(shortest, candidate.bound)) break;
    const choice = cutter.cut(candidate);
    if ("missingBytes" in choice) {
      if (choice.missingBytes < (closest?.missingBytes ?? Number.POSITIVE_INFINITY)) {
        closest = choice;
      }
      continue;
    }
    tried.push(choice);
    shortest = Math.min(shortest, choice.cut.simulatedMs);
  }
  const fastest = tried.filter(({ cut }) => !isShorter(shortest, cut.simulatedMs));
  const [best] = fastest.sort(bySimplicity);
  return best === undefined ? closest : { best: polished(best), numEqual: fastest.length };
}

/** Cuts candidates into stages; those that differ in the experts' fold alone only once. */
class Cutter {
  readonly #job: Job;
  readonly #known = new Map<string, ScheduledStages>();

  constructor(job: Job) {
    this.#job = job;
  }

  /** With the best micro-batch size that fits, or what is missing with the smallest. */
  cut({ microBatchSizes, bound: _, ...arrangement }: Candidate): Choice | Closest {
    const { layout, schedule, virtualPipeline } = arrangement;
    const { globalBatchSize, sequenceLength } = this.#job.training;
    const preferred = preferredMicroBatches(
      globalBatchSize / layout.dataParallel,
      layout.pipelineParallel,
      sequenceLength,
      microBatchSizes,
    );
    let missingBytes = Number.POSITIVE_INFINITY;
    for (const microBatchSize of preferred) {
      const problem = flopsProblem(this.#job, arrangement, microBatchSize);
      const { tensorParallel, contextParallel, pipelineParallel } = layout;
      const sizes = [tensorParallel, contextParallel, pipelineParallel, virtualPipeline];
      const key = [schedule, ...sizes, microBatchSize].join();
      // Without a limit no weight is too many, and the experts' fold changes nothing else.
      const isAlike = this.#job.cluster.memoryLimit === undefined;
      const cut = (isAlike ? this.#known.get(key) : undefined) ?? solveStages(problem);
      if ("missingBytes" in cut) {
        missingBytes = Math.min(missingBytes, cut.missingBytes);
        continue;
      }
      if (!("stages" in cut)) continue;
      this.#known.set(key, cut);
      return { ...arrangement, microBatchSize, problem, cut };
    }
    return { layout, missingBytes };
  }
}

/** The best again with its own memory, and with more time where stages come from a local search. */
function polished(choice: Choice): Choice {
  const again = solveStages(choice.problem, { maxPasses: PASSES_OF_BEST });
  const isBetter = "stages" in again && !isShorter(choice.cut.simulatedMs, again.simulatedMs);
  return isBetter ? { ...choice, cut: again } : choice;
}

/**
 * No split is faster, with any of the micro-batch sizes: every rank busy all the time,
 * or one micro-batch forward and backward all the way.
 */
function boundOf(job: Job, { microBatchSizes, ...arrangement }: Arrangement): number {
  return Math.min(
    ...microBatchSizes.map((size) => {
      const { layers, stages, microBatches } = flopsProblem(job, arrangement, size);
      let total = 0;
      let path = 0;
      for (const { forwardMs, backwardMs, weightGradMs = 0, options } of layers) {
        const extra = Math.min(...options.map(({ extraBackwardMs }) => extraBackwardMs));
        total += forwardMs + backwardMs + extra;
        // Gradients of weights may wait.
        path += forwardMs + backwardMs + extra - weightGradMs;
      }
      return Math.max(path, (microBatches * total) / stages);
    }),
  );
}

function bySimplicity(a: Omit<Arrangement, "microBatchSizes">, b: typeof a): number {
  const order = ({ layout, virtualPipeline }: typeof a) => [
    layout.pipelineParallel,
    layout.tensorParallel,
    layout.contextParallel,
    virtualPipeline,
    SCHEMES.indexOf(layout.scheme),
    layout.expertParallel * layout.expertTensorParallel,
    layout.expertTensorParallel,
  ];
  const others = order(b);
  return (
    order(a)
      .map((value, index) => value - (others[index] as number))
      .find((difference) => difference !== 0) ?? 0
  );
}
