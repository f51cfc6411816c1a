/**
 * Pareto front of what stages k.. may come to from a first layer on: `extra` is
 * their recompute in all, `term` the largest of their bounds counted from the
 * work in front without its recompute.
 */
export interface Front {
  extra: number[];
  term: number[];
}

/** More points than this are joined, towards a lower bound. */
const MAX_POINTS = 48;

/** The points that no other beats in both, by rising extra time. */
export function paretoFront(points: [extra: number, term: number][]): Front {
  points.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const front: Front = { extra: [], term: [] };
  let least = Number.POSITIVE_INFINITY;
  for (const [extra, term] of points) {
    if (term >= least) continue;
    least = term;
    front.extra.push(extra);
    front.term.push(term);
  }
  return front.extra.length > MAX_POINTS ? thin(front) : front;
}

/** Joins neighbours into one that is at least as good as each. */
function thin({ extra, term }: Front): Front {
  const joined: Front = { extra: [], term: [] };
  const step = extra.length / MAX_POINTS;
  for (let index = 0; index < MAX_POINTS; index++) {
    const first = Math.floor(index * step);
    const last = Math.floor((index + 1) * step) - 1;
    joined.extra.push(extra[first] as number);
    joined.term.push(term[last] as number);
  }
  return joined;
}
