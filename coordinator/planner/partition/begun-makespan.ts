/**
 * Makespan under 1F1B of a split whose first stages are known, with the others
 * as a way there and back on which no micro-batch waits for another: what is left
 * out only waits, so no split that begins so is faster.
 *
 * @param forwardMs of the first stages
 * @param backwardMs likewise, with recompute
 * @param restMs forward and backward of all further stages, with their hops and the one to them
 */
export function begunMakespanMs(
  forwardMs: readonly number[],
  backwardMs: readonly number[],
  restMs: number,
  { stages, microBatches: m, p2pMs }: { stages: number; microBatches: number; p2pMs: number },
): number {
  const count = forwardMs.length;
  const forwardEnd = new Float64Array(count * m);
  const backwardEnd = new Float64Array(count * m);
  const numForward = new Int32Array(count);
  const numBackward = new Int32Array(count);
  const free = new Float64Array(count);
  for (let left = 2 * count * m; left > 0; ) {
    for (let stage = 0; stage < count; stage++) {
      const warmup = Math.min(m, stages - 1 - stage);
      const row = stage * m;
      for (;;) {
        const f = numForward[stage] as number;
        const b = numBackward[stage] as number;
        let start = free[stage] as number;
        if (f < m && f - b <= warmup) {
          if (stage > 0) {
            if ((numForward[stage - 1] as number) <= f) break;
            start = Math.max(start, (forwardEnd[row - m + f] as number) + p2pMs);
          }
          free[stage] = start + (forwardMs[stage] as number);
          forwardEnd[row + f] = free[stage] as number;
          numForward[stage] = f + 1;
        } else {
          if (b === m) break;
          if (stage === count - 1) {
            start = Math.max(start, (forwardEnd[row + b] as number) + restMs);
          } else {
            if ((numBackward[stage + 1] as number) <= b) break;
            start = Math.max(start, (backwardEnd[row + m + b] as number) + p2pMs);
          }
          free[stage] = start + (backwardMs[stage] as number);
          backwardEnd[row + b] = free[stage] as number;
          numBackward[stage] = b + 1;
        }
        left--;
      }
    }
  }
  return free[0] as number;
}
