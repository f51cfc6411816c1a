import { makespan1F1B } from "../schedule/simulate-1f1b.ts";
import type { PartitionProblem, PartitionSolution, PartitionUnfit } from "./problem.ts";
import { StageCosts } from "./stage-costs.ts";
import { whyUnfit } from "./why-unfit.ts";

/** A split with its recompute, simulated. */
export interface EvaluatedSplit {
  /** First layer behind each stage. */
  ends: number[];
  /** Option of each layer. */
  options: number[];
  forwardMs: number[];
  backwardMs: number[];
  extraMs: number[];
  simulatedMs: number;
  /** Sum of squared stage times. */
  unevenness: number;
}

/** Simulates a split with the least recompute that fits each stage; undefined when a stage does not fit. */
export function evaluateEnds(
  costs: StageCosts,
  ends: readonly number[],
): EvaluatedSplit | undefined {
  const { microBatches, p2pMs } = costs.problem;
  const options: number[] = [];
  const forwardMs: number[] = [];
  const backwardMs: number[] = [];
  const extraMs: number[] = [];
  let from = 0;
  let unevenness = 0;
  for (const [stage, to] of ends.entries()) {
    const fitted = costs.fitted(stage, from, to);
    if (fitted === undefined) return undefined;
    options.push(...fitted.options);
    const forward = costs.forwardMs(from, to);
    const backward = costs.backwardMs(from, to) + fitted.extraMs;
    forwardMs.push(forward);
    backwardMs.push(backward);
    extraMs.push(fitted.extraMs);
    unevenness += (forward + backward) ** 2;
    from = to;
  }
  const simulatedMs = makespan1F1B(forwardMs, backwardMs, microBatches, p2pMs);
  return { ends: [...ends], options, forwardMs, backwardMs, extraMs, simulatedMs, unevenness };
}

/**
 * A given split under 1F1B with the least recompute that fits.
 *
 * @param layersPerStage one entry a stage, adding up to the layers
 */
export function evaluateSplit(
  problem: PartitionProblem,
  layersPerStage: readonly number[],
): PartitionSolution | PartitionUnfit {
  const costs = new StageCosts(problem);
  let end = 0;
  const ends = layersPerStage.map((count) => {
    end += count;
    return end;
  });
  const split = evaluateEnds(costs, ends);
  return split === undefined
    ? whyUnfit(costs, ends)
    : toSolution(costs, split, split.simulatedMs, 1);
}

/** A split as people and programs read it. */
export function toSolution(
  costs: StageCosts,
  split: EvaluatedSplit,
  boundMs: number,
  simulations: number,
): PartitionSolution {
  const { layers } = costs.problem;
  let from = 0;
  const stages = split.ends.map((to, stage) => {
    let activation = 0;
    let workspace = 0;
    const recompute: string[] = [];
    for (let layer = from; layer < to; layer++) {
      const option = layers[layer]?.options[split.options[layer] as number];
      activation += option?.activationBytes ?? 0;
      workspace = Math.max(workspace, option?.workspaceBytes ?? 0);
      recompute.push(option?.name ?? "");
    }
    const inFlight = costs.inFlight(stage);
    const result = {
      layers: [from, to - 1] as [number, number],
      recompute,
      forwardMs: split.forwardMs[stage] as number,
      backwardMs: split.backwardMs[stage] as number,
      recomputeMs: split.extraMs[stage] as number,
      inFlightMicroBatches: inFlight,
      memoryBytes: costs.staticBytes(from, to) + inFlight * activation + workspace,
    };
    from = to;
    return result;
  });
  const { simulatedMs } = split;
  const gap = simulatedMs > 0 ? Math.max(0, (simulatedMs - boundMs) / simulatedMs) : 0;
  return { stages, simulatedMs, boundMs, gap, simulations };
}
