import { meanOverheadMs } from "./overhead.ts";
import type { Solved } from "./solve-candidate.ts";
import { costOf } from "./stage-costs.ts";

/** Splits looked at, each with a lighter heaviest stage than the one before. */
const MAX_TRIES = 4;

/** Share of a step below which another split is not worth giving up a shorter pipeline for. */
const LEAST_GAIN = 1e-3;

/**
 * The split of least step where that is not the one of least pipeline: the stage
 * with most weights has most to reduce, gather and update behind the pipeline. Each
 * try takes the heaviest stage's weights as a limit that no stage may reach.
 *
 * @param solve the best split whose stages weigh at most so much, unless its
 *   pipeline takes longer than a limit
 */
export function lighterStages(
  solved: Solved,
  solve: (mostStaticBytes: number, limitMs: number) => Solved | undefined,
): Solved {
  const leastMs = meanOverheadMs(solved.candidate, solved.parts);
  let best = solved;
  let last = solved;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const worthMs = best.stepTimeMs * (1 - LEAST_GAIN);
    if (last.simulatedMs + leastMs >= worthMs) break;
    const next = solve(heaviestBytes(last) * (1 - 1e-9), worthMs - leastMs);
    if (next === undefined) break;
    last = next;
    if (next.stepTimeMs < worthMs) best = next;
  }
  if (best === solved) return solved;
  // The bound is that of all splits, light or not.
  const { boundMs } = solved;
  return { ...best, boundMs, gap: Math.max(0, 1 - boundMs / best.simulatedMs) };
}

function heaviestBytes({ candidate, parts, stages }: Solved): number {
  const bytes = stages.map(({ from, to }) => {
    let sum = 0;
    for (let index = from; index < to; index++) sum += costOf(candidate, parts, index).staticBytes;
    return sum;
  });
  return Math.max(...bytes);
}
