/** Forward and backward of one virtual stage, and what of them is not plain compute. */
export interface StageTime {
  forwardMs: number;
  /** With recompute. */
  backwardMs: number;
  recomputeMs: number;
  forwardCommunicationMs: number;
  backwardCommunicationMs: number;
}

/** Idle time of the mean rank in a step, by cause; sums to the whole bubble. */
export interface BubbleSplit {
  idealMs: number;
  imbalanceMs: number;
  recomputeMs: number;
  communicationMs: number;
}

/**
 * Splits a schedule's bubble by what would go away: ideal is that of the same
 * compute spread evenly, without recompute and communication; the others are
 * what unequal stages, recompute and communication each add, in this order.
 *
 * @param simulate makespan of stages and a hop's latency under the schedule, ms
 */
export function splitBubble(
  stages: readonly StageTime[],
  numRanks: number,
  numMicroBatches: number,
  p2pMs: number,
  simulate: (stages: readonly { forwardMs: number; backwardMs: number }[], p2pMs: number) => number,
): BubbleSplit {
  const bubble = (times: readonly { forwardMs: number; backwardMs: number }[], hopMs: number) => {
    const work = times.reduce((sum, { forwardMs, backwardMs }) => sum + forwardMs + backwardMs, 0);
    return simulate(times, hopMs) - (numMicroBatches * work) / numRanks;
  };
  const compute = stages.map((stage) => ({
    forwardMs: stage.forwardMs - stage.forwardCommunicationMs,
    backwardMs: stage.backwardMs - stage.recomputeMs - stage.backwardCommunicationMs,
  }));
  const mean = (pick: (stage: { forwardMs: number; backwardMs: number }) => number) =>
    compute.reduce((sum, stage) => sum + pick(stage), 0) / compute.length;
  const even = compute.map(() => ({
    forwardMs: mean(({ forwardMs }) => forwardMs),
    backwardMs: mean(({ backwardMs }) => backwardMs),
  }));
  const recomputed = compute.map((stage, index) => ({
    ...stage,
    backwardMs: stage.backwardMs + (stages[index] as StageTime).recomputeMs,
  }));
  const ideal = bubble(even, 0);
  const uneven = bubble(compute, 0);
  const withRecompute = bubble(recomputed, 0);
  return {
    idealMs: ideal,
    imbalanceMs: uneven - ideal,
    recomputeMs: withRecompute - uneven,
    communicationMs: bubble(stages, p2pMs) - withRecompute,
  };
}
