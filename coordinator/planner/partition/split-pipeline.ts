import { makespan1F1B } from "../schedule/simulate-1f1b.ts";
import { IntervalWork, type Pipeline, stageWork } from "./pipeline.ts";
import { type SolveOptions, solvePartition } from "./solve-partition.ts";

export { isShorter, RELATIVE_TOLERANCE } from "./compare-times.ts";

/** The best split of a pipeline whose memory is not counted. */
export interface Split {
  layersPerStage: number[];
  /** Simulated 1F1B time, in the unit of the work. */
  makespan: number;
  /** No split at all is faster than this. */
  bound: number;
  /** (makespan − bound) / makespan; 0 certifies the optimum. */
  gap: number;
  simulations: number;
}

/** `solvePartition` for work alone: the embedding stays with the first layer, the head with the last. */
export function splitPipeline(pipeline: Pipeline, options: SolveOptions = {}): Split {
  const intervals = new IntervalWork(pipeline.work);
  const solution = solvePartition(
    {
      stages: pipeline.numStages,
      microBatches: pipeline.numMicroBatches,
      p2pMs: 0,
      memoryBytes: 0,
      layers: pipeline.work.layers.map((_, index) => ({
        name: `layer ${index}`,
        forwardMs: intervals.forward(index, index + 1),
        backwardMs: intervals.backward(index, index + 1),
        staticBytes: 0,
        options: [{ name: "none", extraBackwardMs: 0, activationBytes: 0 }],
      })),
    },
    options,
  );
  if ("missingBytes" in solution) throw new RangeError("more stages than layers");
  return {
    layersPerStage: solution.stages.map(({ layers: [first, last] }) => last - first + 1),
    makespan: solution.simulatedMs,
    bound: solution.boundMs,
    gap: solution.gap,
    simulations: solution.simulations,
  };
}

/** Simulated 1F1B time of one split. */
export function splitMakespan(pipeline: Pipeline, layersPerStage: readonly number[]): number {
  const stages = stageWork(pipeline.work, layersPerStage);
  return makespan1F1B(
    stages.map(({ forward }) => forward),
    stages.map(({ backward }) => backward),
    pipeline.numMicroBatches,
    0,
  );
}

/** No split is faster: every stage busy all the time, or one micro-batch all the way. */
export function leastMakespan({ work, numStages, numMicroBatches }: Pipeline): number {
  const intervals = new IntervalWork(work);
  const total = intervals.total(0, intervals.numLayers);
  return Math.max(total, (numMicroBatches * total) / numStages);
}
