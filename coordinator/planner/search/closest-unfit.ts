import type { Placement } from "../cost/workload.ts";
import type { ScheduleName } from "../plan-document.ts";
import { costCandidate, meanStaticBytes } from "./candidate.ts";
import { formsOf, type SearchContext, solveQuickly } from "./solve-form.ts";

/** A placement that misses the memory, and by how much on its fullest GPU. */
export interface Closest {
  placement: Placement;
  missingBytes: number;
}

/** Candidates looked at for the one that comes closest. */
const MAX_UNFIT = 64;

/** Of placements that do not fit, the one that misses least; those of least weights are tried. */
export function closestUnfit(
  context: SearchContext,
  unfit: readonly { placement: Placement; schedule: ScheduleName }[],
): Closest | undefined {
  const { workload, parts } = context;
  const byWeights = unfit
    .map(({ placement, schedule }) => {
      const candidate = costCandidate(workload, placement, parts);
      return { schedule, candidate, staticBytes: meanStaticBytes(candidate, parts) };
    })
    .sort((a, b) => a.staticBytes - b.staticBytes);
  let closest: Closest | undefined;
  for (const { schedule, candidate } of byWeights.slice(0, MAX_UNFIT)) {
    const { placement } = candidate;
    for (const form of formsOf(context, placement, schedule)) {
      const solved = solveQuickly(context, candidate, schedule, form, Number.POSITIVE_INFINITY);
      if (!("missingBytes" in solved)) continue;
      if (closest === undefined || solved.missingBytes < closest.missingBytes) {
        closest = { placement, missingBytes: solved.missingBytes };
      }
    }
  }
  return closest;
}
