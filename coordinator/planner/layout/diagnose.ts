import { joinAlternatives, type Problem } from "../../spec/problems.ts";
import { diagnoseRanks, type RanksOfJob } from "./diagnose-ranks.ts";
import { enumerateLayouts } from "./enumerate-layouts.ts";
import { legalValues, SIZE_NAMES } from "./size-rules.ts";
import type { FixedSizes, LayoutLimits, SchemeName, SizeName } from "./sizes.ts";

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

function productOf(names: readonly SizeName[], fixed: FixedSizes): number {
  return names.reduce((total, name) => total * (fixed[name] ?? 1), 1);
}

function spell(names: readonly SizeName[], fixed: FixedSizes, between = " × "): string {
  return names.map((name) => `${name} ${fixed[name]}`).join(between);
}
