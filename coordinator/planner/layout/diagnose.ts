import { type JobPath, joinAlternatives, type Problem } from "../../spec/problems.ts";
import { MAX_GPUS } from "../hardware/cluster-document.ts";
import { enumerateLayouts } from "./enumerate-layouts.ts";
import { legalValues, SIZE_NAMES, sizesAllowed } from "./size-rules.ts";
import type { CandidateLayout, FixedSizes, LayoutLimits, SchemeName, SizeName } from "./sizes.ts";

/** How a job says how many ranks there are. */
export interface RanksOfJob {
  path: JobPath;
  /** Ranks come in whole nodes of these; 1 on this machine. */
  gpusPerNode: number;
}

const ATTENTION: readonly SizeName[] = [
  "tensorParallel",
  "contextParallel",
  "pipelineParallel",
  "dataParallel",
];

const EXPERTS: readonly SizeName[] = ["expertParallel", "expertTensorParallel"];

const SCHEME_MEANS: Record<SchemeName, string> = {
  edp: "whole experts and expertParallel = tensorParallel",
  ep: "whole experts, spread over data-parallel ranks (tensorParallel 1) or over all ranks of a stage",
  etp: "expertTensorParallel = tensorParallel, above 1",
  folded: "experts laid otherwise than under edp, ep and etp",
};

/** Sizes that are legal one by one but not together: which rule, what to do. */
export function diagnose(limits: LayoutLimits, fixed: FixedSizes, place: RanksOfJob): Problem {
  return (
    diagnoseProduct(limits, fixed) ??
    diagnoseSequence(limits, fixed) ??
    diagnoseScheme(limits, fixed) ??
    diagnoseExperts(limits, fixed) ??
    diagnoseRanks(limits, fixed, place, () => true)
  );
}

/** TP·CP·PP·DP must be the number of ranks, or divide it while one is free. */
function diagnoseProduct({ ranks }: LayoutLimits, fixed: FixedSizes): Problem | undefined {
  const given = ATTENTION.filter((name) => fixed[name] !== undefined);
  const product = productOf(given, fixed);
  const isComplete = given.length === ATTENTION.length;
  if (isComplete ? product === ranks : ranks % product === 0) return undefined;
  const rule = isComplete ? "is not" : "does not divide";
  const wanted = isComplete ? product : `a multiple of ${product}`;
  return {
    path: ["layout"],
    message: `${spell(given, fixed)} = ${product} ${rule} the ${ranks} ranks of the cluster; change one of them, or use ${wanted} ranks`,
  };
}

/** TP and CP both cut the sequence. */
function diagnoseSequence(limits: LayoutLimits, fixed: FixedSizes): Problem | undefined {
  const given = ATTENTION.slice(0, 2).filter((name) => fixed[name] !== undefined);
  const product = productOf(given, fixed);
  if (given.length < 2 || limits.sequenceLength % product === 0) return undefined;
  return {
    path: ["layout"],
    message: `${spell(given, fixed)} = ${product} does not divide ${limits.sequenceLength} tokens of a sequence, which both cut; ${remedyOf(changesThatHelp(limits, fixed, given))}`,
  };
}

/** The scheme is at fault when the same sizes are legal without it. */
function diagnoseScheme(limits: LayoutLimits, fixed: FixedSizes): Problem | undefined {
  const { scheme } = fixed;
  if (scheme === undefined) return undefined;
  const [possible] = enumerateLayouts(limits, { ...fixed, scheme: undefined });
  if (possible === undefined) return undefined;
  const sizes = SIZE_NAMES.filter((name) => fixed[name] !== undefined);
  const against =
    sizes.length === 0
      ? `no layout of ${limits.ranks} ranks has`
      : `${spell(sizes, fixed, ", ")} cannot have on ${limits.ranks} ranks`;
  const changes = changesThatHelp(limits, fixed, sizes);
  const kept = changes.length === 0 ? "" : `, or keep it with ${joinAlternatives(changes)}`;
  return {
    path: ["layout", "scheme"],
    message: `${scheme} means ${SCHEME_MEANS[scheme]}, which ${against}; use scheme ${possible.scheme}, or leave it out${kept}`,
  };
}

/** The experts' sizes are at fault when freeing them leaves a layout. */
function diagnoseExperts(limits: LayoutLimits, fixed: FixedSizes): Problem | undefined {
  const given = EXPERTS.filter((name) => fixed[name] !== undefined);
  const free: FixedSizes = { ...fixed, expertParallel: undefined, expertTensorParallel: undefined };
  const isPossible = enumerateLayouts(limits, free).some(() => true);
  if (given.length === 0 || !isPossible) return undefined;
  const product = productOf(given, fixed);
  const stages = fixed.pipelineParallel;
  const what = `${spell(given, fixed)}${given.length > 1 ? ` = ${product}` : ""}`;
  const rule =
    stages === undefined
      ? `must divide the ranks of a stage (${limits.ranks} / pipelineParallel), and does so in no layout`
      : `does not divide the ${limits.ranks / stages} ranks of a stage (${limits.ranks} / pipelineParallel ${stages})`;
  return {
    path: ["layout"],
    message: `${what} ${rule}; ${remedyOf(changesThatHelp(limits, fixed, given))}`,
  };
}

function remedyOf(changes: readonly string[]): string {
  return changes.length === 0 ? "free one of them" : `use ${joinAlternatives(changes)}`;
}

/** `dataParallel 32` for each size whose nearest other value alone makes a layout legal. */
function changesThatHelp(
  limits: LayoutLimits,
  fixed: FixedSizes,
  names: readonly SizeName[],
): string[] {
  return names.flatMap((name) => {
    const value = fixed[name] as number;
    const far = (other: number) => Math.abs(Math.log(other / value));
    const nearest = legalValues(name, limits, fixed.scheme)
      .filter((other) => other !== value)
      .sort((a, b) => far(a) - far(b))
      .find((other) => enumerateLayouts(limits, { ...fixed, [name]: other }).some(() => true));
    return nearest === undefined ? [] : [`${name} ${nearest}`];
  });
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

function productOf(names: readonly SizeName[], fixed: FixedSizes): number {
  return names.reduce((total, name) => total * (fixed[name] ?? 1), 1);
}

function spell(names: readonly SizeName[], fixed: FixedSizes, between = " × "): string {
  return names.map((name) => `${name} ${fixed[name]}`).join(between);
}
