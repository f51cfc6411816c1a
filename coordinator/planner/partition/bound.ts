import { warmupForwards } from "../schedule/simulate.ts";
import type { IntervalWork, Pipeline } from "./pipeline.ts";

/**
 * One stage's term of the lower bound on the 1F1B makespan: nobody finishes
 * before the work in front of the stage has reached it once, the stage has done
 * all its own, and what comes behind it has come back as far as the stage
 * cannot hide it under its own work. With t = f + b, w warm-up forwards, S the
 * work of all later stages and x⁺ = max(x, 0):
 *
 *   Σ_{j<i} t_j + m·t_i + (S − w·f)⁺ + (S − w·b)⁺   for m ≥ w + 2,
 *   the larger of the last two alone                 for m = w + 1,
 *   max(0, S − (m−1)·f, S − (m−1)·b) instead         for m ≤ w.
 *
 * Found and tested by simulation, not proved; a certificate only together with
 * a simulated time that equals it.
 */
export function stageBound(
  intervals: IntervalWork,
  pipeline: Pipeline,
  stage: number,
  from: number,
  to: number,
): number {
  const { numStages, numMicroBatches: m } = pipeline;
  const forward = intervals.forward(from, to);
  const backward = intervals.backward(from, to);
  const before = intervals.total(0, from);
  const after = intervals.total(to, intervals.numLayers);
  const warmup = warmupForwards(stage, numStages, m);
  const own = before + m * (forward + backward);
  if (m <= warmup) {
    return own + Math.max(0, after - (m - 1) * forward, after - (m - 1) * backward);
  }
  const fill = Math.max(0, after - warmup * forward);
  const drain = Math.max(0, after - warmup * backward);
  return own + (m === warmup + 1 ? Math.max(fill, drain) : fill + drain);
}
