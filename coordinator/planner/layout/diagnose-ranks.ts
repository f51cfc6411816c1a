import { type JobPath, joinAlternatives, type Problem } from "../../spec/problems.ts";
import { MAX_GPUS } from "../hardware/cluster-document.ts";
import { enumerateLayouts } from "./enumerate-layouts.ts";
import { legalValues, sizesAllowed } from "./size-rules.ts";
import type { CandidateLayout, FixedSizes, LayoutLimits, SizeName } from "./sizes.ts";

/** How a job says how many ranks there are. */
export interface RanksOfJob {
  path: JobPath;
  /** Ranks come in whole nodes of these; 1 on this machine. */
  gpusPerNode: number;
}

/**
 * A number of ranks with no acceptable layout: too many for the model and
 * batch, or one that no product of their sizes makes.
 */
export function diagnoseRanks(
  limits: LayoutLimits,
  fixed: FixedSizes,
  { path, gpusPerNode }: RanksOfJob,
  accept: (layout: CandidateLayout) => boolean,
): Problem {
  const { ranks, layers, heads, experts, globalBatchSize, microBatchSize = 1 } = limits;
  const allowed = valuesOnAnyRanks(limits, fixed);
  const most = Object.values(allowed).reduce((product, values) => product * Math.max(...values), 1);
  const isTooMany = ranks > most;
  const factor = (name: keyof typeof allowed, why: string): string[] => {
    if (fixed[name] === 1 && name === "contextParallel") return [];
    const largest = Math.max(...allowed[name]);
    const upTo = isTooMany || fixed[name] !== undefined ? "" : "up to ";
    return [`${name} ${upTo}${largest} (${fixed[name] === undefined ? why : `fixed; ${why}`})`];
  };
  const factors = [
    ...factor("tensorParallel", `${heads} heads${experts > 0 ? `, ${experts} experts` : ""}`),
    ...factor("contextParallel", `${limits.sequenceLength} tokens a sequence`),
    ...factor("pipelineParallel", `${layers} layers`),
    ...factor("dataParallel", `batch of ${globalBatchSize} in micro-batches of ${microBatchSize}`),
  ];
  const nearest = nearestCounts(limits, fixed, gpusPerNode, accept);
  const nodes = nearest.map((count) => count / gpusPerNode);
  const ofNodes = gpusPerNode > 1 ? `${joinAlternatives(nodes)} nodes of ${gpusPerNode}, ` : "";
  const remedy =
    nearest.length === 0 ? "fix less by hand" : `use ${ofNodes}${joinAlternatives(nearest)} ranks`;
  const rule = isTooMany
    ? `is more than ${factors.join(" × ")} = ${most} ranks`
    : `is no product of a ${factors.slice(0, -1).join(", a ")} and a ${factors.at(-1)}`;
  return { path, message: `${ranks} ${rule}; ${remedy}` };
}

/** What each size of attention may be on any number of ranks. */
function valuesOnAnyRanks(limits: LayoutLimits, fixed: FixedSizes) {
  const { heads, sequenceLength, globalBatchSize } = limits;
  // A size that has to divide something divides that many ranks too.
  const dividing = (name: SizeName, ranks: number): readonly number[] => {
    const value = fixed[name];
    return value === undefined ? legalValues(name, { ...limits, ranks }, fixed.scheme) : [value];
  };
  return {
    tensorParallel: dividing("tensorParallel", heads),
    contextParallel: dividing("contextParallel", sequenceLength),
    pipelineParallel: sizesAllowed("pipelineParallel", { ...limits, ranks: limits.layers }, fixed),
    dataParallel: dividing("dataParallel", globalBatchSize),
  };
}

/** Counts looked at in either direction for one that some layout has. */
const MAX_COUNTS = 200;

/**
 * Numbers of ranks near `limits.ranks`, in whole nodes, for which some layout
 * passes: the largest below and the smallest above, as far as there are any.
 */
function nearestCounts(
  limits: LayoutLimits,
  fixed: FixedSizes,
  gpusPerNode: number,
  accept: (layout: CandidateLayout) => boolean,
): number[] {
  const allowed = valuesOnAnyRanks(limits, fixed);
  const below = new Set<number>();
  const above = new Set<number>();
  for (const tp of allowed.tensorParallel) {
    for (const cp of allowed.contextParallel) {
      for (const pp of allowed.pipelineParallel) {
        const base = tp * cp * pp;
        const isWhole = (dp: number) => (base * dp) % gpusPerNode === 0;
        const less = allowed.dataParallel.findLast((dp) => base * dp < limits.ranks && isWhole(dp));
        const more = allowed.dataParallel.find((dp) => base * dp > limits.ranks && isWhole(dp));
        if (less !== undefined) below.add(base * less);
        if (more !== undefined && base * more <= MAX_GPUS) above.add(base * more);
      }
    }
  }
  const works = (ranks: number) => enumerateLayouts({ ...limits, ranks }, fixed).some(accept);
  const first = (counts: Set<number>, order: (a: number, b: number) => number) =>
    [...counts].sort(order).slice(0, MAX_COUNTS).find(works);
  return [first(below, (a, b) => b - a), first(above, (a, b) => a - b)].filter(
    (count) => count !== undefined,
  );
}
