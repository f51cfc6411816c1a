/**
 * Milliseconds of one optimizer step under 1F1B with unequal stages and a latency
 * between neighbours that no stage has to wait for with anything else to do.
 * Exact: each stage runs its passes in 1F1B order, each as soon as the stage is
 * free and its input is there. Makespan only, without allocation per pass; for a
 * timeline see event-simulator.ts.
 *
 * @param forwardMs of each stage, for one micro-batch
 * @param backwardMs likewise, with recompute
 */
export function makespan1F1B(
  forwardMs: ArrayLike<number>,
  backwardMs: ArrayLike<number>,
  numMicroBatches: number,
  p2pMs: number,
): number {
  const p = forwardMs.length;
  const m = numMicroBatches;
  // A neighbour is at most p passes ahead, but rows of m are simpler and cheap.
  const forwardEnd = new Float64Array(p * m);
  const backwardEnd = new Float64Array(p * m);
  const numForward = new Int32Array(p);
  const numBackward = new Int32Array(p);
  const free = new Float64Array(p);
  for (let left = 2 * p * m; left > 0; ) {
    const before = left;
    for (let stage = 0; stage < p; stage++) {
      const warmup = Math.min(m, p - 1 - stage);
      const row = stage * m;
      for (;;) {
        const f = numForward[stage] as number;
        const b = numBackward[stage] as number;
        const isForward = f < m && f - b <= warmup;
        if (isForward) {
          let start = free[stage] as number;
          if (stage > 0) {
            if ((numForward[stage - 1] as number) <= f) break;
            start = Math.max(start, (forwardEnd[row - m + f] as number) + p2pMs);
          }
          const end = start + (forwardMs[stage] as number);
          forwardEnd[row + f] = end;
          free[stage] = end;
          numForward[stage] = f + 1;
        } else {
          if (b === m) break;
          let start = free[stage] as number;
          if (stage < p - 1) {
            if ((numBackward[stage + 1] as number) <= b) break;
            start = Math.max(start, (backwardEnd[row + m + b] as number) + p2pMs);
          }
          const end = start + (backwardMs[stage] as number);
          backwardEnd[row + b] = end;
          free[stage] = end;
          numBackward[stage] = b + 1;
        }
        left--;
      }
    }
    if (left === before) throw new RangeError("1F1B with a stage that waits for itself");
  }
  let last = 0;
  for (let stage = 0; stage < p; stage++) last = Math.max(last, free[stage] as number);
  return last;
}
