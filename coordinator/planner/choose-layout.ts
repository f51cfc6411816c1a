import type { Job } from "../spec/schema.ts";
import { fixedSizesOf, limitsOf } from "./layout/check-layout.ts";
import { isRunnable } from "./layout/engine-capabilities.ts";
import { enumerateLayouts } from "./layout/enumerate-layouts.ts";
import { pickMicroBatchSize } from "./layout/micro-batch.ts";
import type { CandidateLayout } from "./layout/sizes.ts";
import type { Pipeline } from "./partition/pipeline.ts";
import {
  isShorter,
  leastMakespan,
  type Split,
  splitMakespan,
  splitPipeline,
} from "./partition/split-pipeline.ts";
import { modelWork } from "./work.ts";

/** A layout with its batch cut up, not yet cut into stages. */
export interface Candidate {
  layout: CandidateLayout;
  microBatchSize: number;
  pipeline: Pipeline;
  /** No split of this candidate is faster. */
  bound: number;
}

/** A candidate with its stages. */
export interface Choice extends Candidate {
  partition: Split;
}

export interface Search {
  best: Choice;
  /** Runnable layouts that are exactly as fast in FLOPs as the best. */
  numEqual: number;
  /** Legal layouts the engine runs; the best is one of them. */
  numRunnable: number;
  /** Legal layouts under all schemes. */
  numLegal: number;
}

/**
 * The runnable layout of least makespan. Equal ones are decided by fewer
 * stages, then by less tensor parallelism, since communication is not counted.
 * Candidates whose bound already exceeds the best are never cut into stages.
 */
export function chooseLayout(job: Job, ranks: number): Search | undefined {
  const legal = [...enumerateLayouts(limitsOf(job, ranks), fixedSizesOf(job))];
  const runnable = legal.filter(isRunnable);
  const candidates = runnable.map((layout) => candidateOf(job, layout)).sort(byBoundThenSimplicity);
  const tried: Choice[] = [];
  let shortest = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    if (isShorter(shortest, candidate.bound)) break;
    const choice = { ...candidate, partition: partitionOf(job, candidate.pipeline) };
    tried.push(choice);
    shortest = Math.min(shortest, choice.partition.makespan);
  }
  const fastest = tried.filter(({ partition }) => !isShorter(shortest, partition.makespan));
  const [best] = fastest.sort(bySimplicity);
  if (best === undefined) return undefined;
  return {
    best,
    numEqual: fastest.length,
    numRunnable: runnable.length,
    numLegal: legal.length,
  };
}

function candidateOf(job: Job, layout: CandidateLayout): Candidate {
  const { globalBatchSize, sequenceLength } = job.training;
  const { pipelineParallel: numStages, dataParallel } = layout;
  const sequences = globalBatchSize / dataParallel;
  const microBatchSize =
    job.training.microBatchSize ?? pickMicroBatchSize(sequences, numStages, sequenceLength);
  const pipeline: Pipeline = {
    work: modelWork(job, layout, microBatchSize),
    numStages,
    numMicroBatches: sequences / microBatchSize,
  };
  return { layout, microBatchSize, pipeline, bound: leastMakespan(pipeline) };
}

/** Stages given by hand are kept; their bound is still that of the best split. */
function partitionOf(job: Job, pipeline: Pipeline): Split {
  const stages = job.layout === "auto" ? undefined : job.layout.stages;
  if (stages === undefined) return splitPipeline(pipeline);
  const best = splitPipeline(pipeline);
  const makespan = splitMakespan(pipeline, stages);
  const gap = (makespan - best.bound) / makespan;
  return { ...best, layersPerStage: stages, makespan, gap };
}

function bySimplicity(a: Candidate, b: Candidate): number {
  return (
    a.layout.pipelineParallel - b.layout.pipelineParallel ||
    a.layout.tensorParallel - b.layout.tensorParallel
  );
}

function byBoundThenSimplicity(a: Candidate, b: Candidate): number {
  return a.bound - b.bound || bySimplicity(a, b);
}
