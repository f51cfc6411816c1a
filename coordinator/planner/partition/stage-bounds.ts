import { roundMs } from "./block-term.ts";
import type { StageCosts } from "./stage-costs.ts";
import { stageTerm } from "./stage-term.ts";

/** A stage of a split as its bound sees it. */
export interface StageShape {
  stage: number;
  from: number;
  to: number;
  extraMs: number;
}

/** The terms of the bound that one stage's interval settles, whatever the others'. */
export class StageBounds {
  /** Of all layers and hops, without recompute. */
  readonly totalMs: number;
  readonly #costs: StageCosts;
  /** Forward and backward of the layers in front of each. */
  readonly #work: Float64Array;

  constructor(costs: StageCosts) {
    const { stages, p2pMs } = costs.problem;
    this.#costs = costs;
    this.#work = costs.forward.map((ms, layer) => ms + (costs.backward[layer] as number));
    this.totalMs = (this.#work[costs.numLayers] as number) + 2 * p2pMs * (stages - 1);
  }

  /** Forward and backward of layers `[from, to)`, without recompute. */
  workMs(from: number, to: number): number {
    return (this.#work[to] as number) - (this.#work[from] as number);
  }

  /**
   * The largest of a stage's own term and those of all stages up to it and all
   * from it on, whose work is known too.
   *
   * @param before recompute of the stages in front
   * @param after recompute of the stages behind
   */
  termMs({ stage, from, to, extraMs }: StageShape, before: number, after: number): number {
    const costs = this.#costs;
    const { stages, microBatches, p2pMs } = costs.problem;
    const hops = stages - 1 - stage;
    const inFront = this.workMs(0, from) + before;
    const own = this.workMs(from, to) + extraMs;
    const behind = this.workMs(to, costs.numLayers) + after;
    const term = stageTerm(
      inFront + 2 * p2pMs * stage,
      costs.forwardMs(from, to),
      costs.backwardMs(from, to) + extraMs,
      behind + 2 * p2pMs * hops,
      microBatches,
      Math.min(microBatches, hops),
    );
    const twice = 2 * (inFront + own + behind + 2 * p2pMs * (stages - 1));
    const visits = microBatches - 1 - stages;
    const front = { size: stage + 1, workMs: inFront + own, p2pMs };
    const rear = { size: hops + 1, workMs: own + behind, p2pMs };
    return Math.max(
      term,
      visits < 0 ? 0 : twice + roundMs(front, visits),
      visits + stage < 0 ? 0 : twice - inFront - 2 * p2pMs * stage + roundMs(rear, visits + stage),
    );
  }
}
