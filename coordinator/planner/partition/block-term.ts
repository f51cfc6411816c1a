/**
 * Terms of the lower bound on the 1F1B makespan for neighbouring stages i..j
 * together. Hops make them slower than each alone: where two stages are equally
 * busy, each waits for the other's answer.
 *
 * Every term is the length of a path through the passes, so it is proven. A path
 * opens stage d with F_d and closes it with B_d. Behind F_d come F_{d+1} (a hop)
 * or, once the pipeline is full, B_d; behind B_d come B_{d−1} (a hop) or the next
 * F_d. So a path is a row of visits, each at most one stage deeper than the one
 * before (two hops, there and back) or as many stages less deep as one likes
 * (those it leaves had their hops). The first p visits are one micro-batch's way
 * down, A = Σt + 2c(p−1) in all, and m − 1 are left, the last at the last stage.
 * Going round i..j for n = m − 1 − (p − i) visits, then from i down to the end:
 *
 *   T ≥ A + (A − Σ_{k<i} t_k − 2c·i) + round(n)
 */
export interface Block {
  /** Stages in it. */
  size: number;
  /** Σ t of its stages, once. */
  workMs: number;
  /** Of one hop. */
  p2pMs: number;
}

/**
 * The work of at least one way to go round with n visits: the mean over all
 * stages to begin with, of which the best is no less.
 */
export function roundMs({ size, workMs, p2pMs }: Block, numVisits: number): number {
  if (numVisits <= 0) return 0;
  if (numVisits % size === 0) return (numVisits / size) * (workMs + 2 * p2pMs * (size - 1));
  const hops = ((numVisits - 1) * (size - 1)) / size;
  return (numVisits / size) * workMs + 2 * p2pMs * hops;
}

/**
 * `roundMs` for stages whose times are known: the visits that make no whole round
 * are the first stages', the last ones', or the mean.
 *
 * @param sums work of the stages in front of each; the block is `[first, last]`
 */
function knownRoundMs(
  sums: readonly number[],
  first: number,
  last: number,
  p2pMs: number,
  numVisits: number,
): number {
  if (numVisits <= 0) return 0;
  const over = (from: number, to: number) => (sums[to] as number) - (sums[from] as number);
  const size = last - first + 1;
  const workMs = over(first, last + 1);
  const mean = roundMs({ size, workMs, p2pMs }, numVisits);
  const left = numVisits % size;
  if (left === 0) return mean;
  const rounds = Math.floor(numVisits / size) * (workMs + 2 * p2pMs * (size - 1));
  const rest = Math.max(over(first, first + left), over(last + 1 - left, last + 1));
  return Math.max(mean, rounds + rest + 2 * p2pMs * (left - 1));
}

/** What the terms need to know of the problem. */
export interface BlockProblem {
  stages: number;
  microBatches: number;
  p2pMs: number;
}

/**
 * The largest term of all blocks that end with a stage, less 2A: what a split's
 * further stages do not change.
 *
 * @param sums work of the stages in front of each, with recompute
 */
export function blockTermMs(
  sums: readonly number[],
  last: number,
  { stages, microBatches, p2pMs }: BlockProblem,
): number {
  let most = Number.NEGATIVE_INFINITY;
  // Blocks too near the front have no visits left for them.
  for (let first = Math.max(0, stages + 1 - microBatches); first <= last; first++) {
    const visits = microBatches - 1 - stages + first;
    const round = knownRoundMs(sums, first, last, p2pMs, visits);
    most = Math.max(most, round - (sums[first] as number) - 2 * p2pMs * first);
  }
  return most;
}
