import { MoestroError } from "../../errors.ts";
import { type ScheduleProblem, tableOfProblem } from "./schedule-problem.ts";

/**
 * Milliseconds that no split and no choice of options can beat in this schedule:
 * the larger of one micro-batch's way through all layers and back, and the mean
 * rank's work with the least recompute, after a rank's first input can be there
 * and before the ranks below are through. Cheap and not tight; see certify.ts.
 */
export function scheduleLowerBoundMs(problem: ScheduleProblem): number {
  const { layers, stages: p, microBatches, p2pMs } = problem;
  const splits = problem.schedule === "zero-bubble" || problem.schedule === "dualpipev";
  const { rankOfStage } = tableOfProblem(problem);
  if (layers.length < rankOfStage.length) {
    throw new MoestroError(
      "no_plan",
      `${layers.length} layers cannot fill ${rankOfStage.length} stages`,
    );
  }
  let forward = 0;
  let backward = 0;
  let wayBack = 0;
  let waitMs = 0;
  // Rank r has r stages of at least one layer before its first pass and, unless
  // weight gradients fill the drain, after its last.
  let leadMs = 0;
  for (const [index, layer] of layers.entries()) {
    const extraMs = Math.min(...layer.options.map((option) => option.extraBackwardMs));
    const backwardMs = layer.backwardMs + extraMs;
    forward += layer.forwardMs;
    backward += backwardMs;
    const put = splits ? Math.min(layer.backwardMs, layer.weightGradMs ?? layer.backwardMs / 2) : 0;
    wayBack += backwardMs - put;
    if (index < p - 1) {
      leadMs += layer.forwardMs + p2pMs + (splits ? 0 : backwardMs + p2pMs);
      waitMs += leadMs;
    }
  }
  const hops = rankOfStage.filter((rank, stage) => stage > 0 && rank !== rankOfStage[stage - 1]);
  const way = forward + wayBack + 2 * hops.length * p2pMs;
  return Math.max(way, (microBatches * (forward + backward) + waitMs) / p);
}
