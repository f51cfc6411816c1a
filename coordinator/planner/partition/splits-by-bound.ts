import { stageBound } from "./bound.ts";
import { MinHeap } from "./heap.ts";
import { IntervalWork, type Pipeline } from "./pipeline.ts";

/** A way to cut the layers into stages, and its bound on the makespan. */
export interface Split {
  layersPerStage: number[];
  bound: number;
}

interface Partial {
  stage: number;
  from: number;
  /** Largest term of the stages already cut. */
  bound: number;
  cut: number;
  parent: Partial | undefined;
}

/**
 * The least possible bound from (stage, first layer) to the end, by dynamic
 * programming over the stages from the last: O(p·L²).
 */
export class BoundTable {
  readonly #pipeline: Pipeline;
  readonly #intervals: IntervalWork;
  readonly #least: Float64Array[];

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    this.#intervals = new IntervalWork(pipeline.work);
    const { numStages } = pipeline;
    const numLayers = this.#intervals.numLayers;
    this.#least = Array.from({ length: numStages + 1 }, () =>
      new Float64Array(numLayers + 1).fill(Number.POSITIVE_INFINITY),
    );
    (this.#least[numStages] as Float64Array)[numLayers] = 0;
    for (let stage = numStages - 1; stage >= 0; stage--) {
      const row = this.#least[stage] as Float64Array;
      const first = stage === 0 ? 0 : stage;
      const last = stage === 0 ? 0 : numLayers - (numStages - stage);
      for (let from = first; from <= last; from++) {
        for (const { bound } of this.#cuts(stage, from)) {
          row[from] = Math.min(row[from] as number, bound);
        }
      }
    }
  }

  /** No split of the pipeline has a makespan below this. */
  get least(): number {
    const work = this.#intervals.total(0, this.#intervals.numLayers);
    return Math.max(work, (this.#least[0] as Float64Array)[0] as number);
  }

  /** Every split, in order of its bound. */
  *splits(): Generator<Split> {
    const { numStages } = this.#pipeline;
    const heap = new MinHeap<Partial>();
    heap.push(this.least, { stage: 0, from: 0, bound: 0, cut: 0, parent: undefined });
    for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
      const { priority, value } = entry;
      if (value.stage === numStages) {
        yield { layersPerStage: layersOf(value), bound: Math.max(priority, this.least) };
        continue;
      }
      for (const { to, own, bound } of this.#cuts(value.stage, value.from)) {
        const next = { stage: value.stage + 1, from: to, cut: to - value.from, parent: value };
        heap.push(Math.max(value.bound, bound), { ...next, bound: Math.max(value.bound, own) });
      }
    }
  }

  /** Ends a stage may have; `bound` is the least with everything behind it. */
  *#cuts(stage: number, from: number): Generator<{ to: number; own: number; bound: number }> {
    const { numStages } = this.#pipeline;
    const stagesBehind = numStages - stage - 1;
    const last = this.#intervals.numLayers - stagesBehind;
    for (let to = stagesBehind === 0 ? last : from + 1; to <= last; to++) {
      const own = stageBound(this.#intervals, this.#pipeline, stage, from, to);
      const behind = (this.#least[stage + 1] as Float64Array)[to] as number;
      yield { to, own, bound: Math.max(own, behind) };
    }
  }
}

function layersOf(end: Partial): number[] {
  const layers: number[] = [];
  for (let node = end; node.parent !== undefined; node = node.parent) layers.unshift(node.cut);
  return layers;
}
