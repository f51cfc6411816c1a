/** One pass of a stage. */
export interface TimedPass {
  stage: number;
  kind: "forward" | "backward";
  microBatch: number;
  startMs: number;
  endMs: number;
}

/** Forward and backward of one stage for one micro-batch, recompute included. */
export interface StagePasses {
  forwardMs: number;
  backwardMs: number;
}

/**
 * Every pass of a step under 1F1B, stage by stage in the order they run; the
 * times are those that `makespan1F1B` adds up.
 */
export function timeline1F1B(
  stages: readonly StagePasses[],
  numMicroBatches: number,
  p2pMs: number,
): TimedPass[][] {
  const p = stages.length;
  const m = numMicroBatches;
  const forwardEnd = stages.map(() => new Float64Array(m).fill(Number.NaN));
  const backwardEnd = stages.map(() => new Float64Array(m).fill(Number.NaN));
  const passes: TimedPass[][] = stages.map(() => []);
  const done = stages.map(() => ({ forward: 0, backward: 0 }));
  for (let left = 2 * p * m; left > 0; ) {
    const before = left;
    for (const [stage, { forwardMs, backwardMs }] of stages.entries()) {
      const count = done[stage] as { forward: number; backward: number };
      const warmup = Math.min(m, p - 1 - stage);
      for (;;) {
        const isForward = count.forward < m && count.forward - count.backward <= warmup;
        const microBatch = isForward ? count.forward : count.backward;
        if (microBatch === m) break;
        const neighbour = isForward ? forwardEnd[stage - 1] : backwardEnd[stage + 1];
        const input = neighbour === undefined ? 0 : (neighbour[microBatch] as number) + p2pMs;
        if (Number.isNaN(input)) break;
        const startMs = Math.max(input, passes[stage]?.at(-1)?.endMs ?? 0);
        const endMs = startMs + (isForward ? forwardMs : backwardMs);
        const kind = isForward ? "forward" : "backward";
        passes[stage]?.push({ stage, kind, microBatch, startMs, endMs });
        (isForward ? forwardEnd : backwardEnd)[stage]?.fill(endMs, microBatch, microBatch + 1);
        count[kind]++;
        left--;
      }
    }
    if (left === before) throw new RangeError("1F1B with a stage that waits for itself");
  }
  return passes;
}
