/**
 * One stage's term of the lower bound on the 1F1B makespan: nobody finishes
 * before the work in front of the stage has reached it once, the stage has done
 * all its own, and what comes behind it has come back as far as the stage cannot
 * hide it under its own work. With w = min(m, p − i − 1) warm-up forwards, S the
 * work of all later stages and their hops, x⁺ = max(x, 0):
 *
 *   before + m·(f + b) + (S − w·f)⁺ + (S − w·b)⁺   for m ≥ w + 2,
 *   the larger of the last two alone               for m = w + 1,
 *   max(0, S − (m−1)·f, S − (m−1)·b) instead       for m ≤ w.
 *
 * Each is the length of a path through the passes, so it is proven: to the stage
 * and back once, its own passes in order, and (S) instead of w of them from the
 * first forward down to the last stage and back to the first backward, or the
 * same with the last micro-batch.
 *
 * @param before work of the stages in front, once, with their hops there and back
 * @param after S
 */
export function stageTerm(
  before: number,
  forwardMs: number,
  backwardMs: number,
  after: number,
  numMicroBatches: number,
  warmup: number,
): number {
  const m = numMicroBatches;
  const own = before + m * (forwardMs + backwardMs);
  if (m <= warmup) {
    return own + Math.max(0, after - (m - 1) * forwardMs, after - (m - 1) * backwardMs);
  }
  const fill = Math.max(0, after - warmup * forwardMs);
  const drain = Math.max(0, after - warmup * backwardMs);
  return own + (m === warmup + 1 ? Math.max(fill, drain) : fill + drain);
}
