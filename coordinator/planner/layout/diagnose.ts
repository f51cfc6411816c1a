import { joinAlternatives, type Problem } from "../../spec/problems.ts";
import { enumerateLayouts, nearestRankCounts } from "./enumerate-layouts.ts";
import { SIZE_NAMES, sizesAllowed } from "./size-rules.ts";
import type { CandidateLayout, FixedSizes, LayoutLimits, SizeName } from "./sizes.ts";

const ATTENTION: readonly SizeName[] = [
  "tensorParallel",
  "contextParallel",
  "pipelineParallel",
  "dataParallel",
];

/** Sizes that are legal one by one but not together: which rule, what to do. */
export function diagnose(limits: LayoutLimits, fixed: FixedSizes): Problem {
  return (
    diagnoseProduct(limits, fixed) ??
    diagnoseExperts(limits, fixed) ??
    diagnoseRanks(limits, fixed, () => true)
  );
}

/** TP·CP·PP·DP must be the number of ranks, or divide it while one is free. */
function diagnoseProduct({ ranks }: LayoutLimits, fixed: FixedSizes): Problem | undefined {
  const given = ATTENTION.filter((name) => fixed[name] !== undefined);
  const product = given.reduce((total, name) => total * (fixed[name] ?? 1), 1);
  const isComplete = given.length === ATTENTION.length;
  if (isComplete ? product === ranks : ranks % product === 0) return undefined;
  const rule = isComplete ? "is not" : "does not divide";
  const wanted = isComplete ? product : `a multiple of ${product}`;
  return {
    path: ["layout"],
    message: `${spell(given, fixed)} = ${product} ${rule} the ${ranks} ranks of the cluster; change one of them, or use ${wanted} ranks`,
  };
}

/** The experts' side alone is at fault when freeing it leaves a layout. */
function diagnoseExperts(limits: LayoutLimits, fixed: FixedSizes): Problem | undefined {
  const given = SIZE_NAMES.filter((name) => fixed[name] !== undefined && !ATTENTION.includes(name));
  const asked = given.map((name) => `${name} ${fixed[name]}`);
  if (fixed.scheme !== undefined) asked.push(`scheme ${fixed.scheme}`);
  const free: FixedSizes = { ...fixed, scheme: undefined };
  for (const name of given) free[name] = undefined;
  const [possible] = enumerateLayouts(limits, free);
  if (asked.length === 0 || possible === undefined) return undefined;
  return {
    path: ["layout"],
    message: `${asked.join(" with ")} fits no mesh of ${limits.ranks} ranks, since expertTensorParallel × expertParallel must divide tensorParallel × contextParallel × dataParallel; free one of them, or use scheme ${possible.scheme} with expertParallel ${possible.expertParallel} and expertTensorParallel ${possible.expertTensorParallel}`,
  };
}

/**
 * A number of ranks with no acceptable layout: too many for the model and
 * batch, or one that no product of their sizes makes.
 */
export function diagnoseRanks(
  limits: LayoutLimits,
  fixed: FixedSizes,
  accept: (layout: CandidateLayout) => boolean,
): Problem {
  const { ranks, layers, heads, experts, globalBatchSize, microBatchSize = 1 } = limits;
  const largest = (name: SizeName) => Math.max(...sizesAllowed(name, limits, fixed));
  const tensor = largest("tensorParallel");
  const pipeline = largest("pipelineParallel");
  const data = largest("dataParallel");
  const most = tensor * pipeline * data;
  const nearest = nearestRankCounts(limits, fixed, accept);
  const remedy =
    nearest.length === 0 ? "fix less by hand" : `use ${joinAlternatives(nearest)} ranks`;
  const message =
    ranks > most
      ? `${ranks} is more than tensorParallel ${tensor} (${heads} heads, ${experts} experts) × pipelineParallel ${pipeline} (${layers} layers) × dataParallel ${data} (batch of ${globalBatchSize} in micro-batches of ${microBatchSize}) = ${most} ranks; ${remedy}`
      : `${ranks} is no product of a tensorParallel up to ${tensor} (${heads} heads, ${experts} experts), a pipelineParallel up to ${pipeline} (${layers} layers) and a dataParallel up to ${data} (batch of ${globalBatchSize} in micro-batches of ${microBatchSize}); ${remedy}`;
  return { path: ["cluster", "ranks"], message };
}

function spell(names: readonly SizeName[], fixed: FixedSizes): string {
  return names.map((name) => `${name} ${fixed[name]}`).join(" × ");
}
