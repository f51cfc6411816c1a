import { legalValues, sizesAllowed } from "./size-rules.ts";
import {
  type CandidateLayout,
  type FixedSizes,
  type LayoutLimits,
  type LayoutSizes,
  type SizeName,
  schemeOf,
} from "./sizes.ts";

/**
 * Every legal layout with the given sizes fixed:
 * ranks = TP·CP·DP·PP = ETP·EP·ExpertDP·PP, and all rules of size-rules.ts.
 */
export function* enumerateLayouts(
  limits: LayoutLimits,
  fixed: FixedSizes = {},
): Generator<CandidateLayout> {
  const choices = (name: SizeName) => {
    const legal = legalValues(name, limits);
    const value = fixed[name];
    return value === undefined ? legal : legal.filter((other) => other === value);
  };
  const expertChoices = choices("expertParallel");
  const expertTensorChoices = choices("expertTensorParallel");
  for (const pipelineParallel of choices("pipelineParallel")) {
    const ranksOfStage = limits.ranks / pipelineParallel;
    for (const [tensorParallel, contextParallel, dataParallel] of attentionMeshes(
      ranksOfStage,
      choices,
      limits,
    )) {
      for (const expertParallel of expertChoices) {
        for (const expertTensorParallel of expertTensorChoices) {
          if (ranksOfStage % (expertParallel * expertTensorParallel) !== 0) continue;
          const sizes: LayoutSizes = {
            tensorParallel,
            contextParallel,
            pipelineParallel,
            dataParallel,
            expertParallel,
            expertTensorParallel,
          };
          const scheme = schemeOf(sizes);
          if (fixed.scheme !== undefined && fixed.scheme !== scheme) continue;
          const expertDataParallel = ranksOfStage / (expertParallel * expertTensorParallel);
          yield { ...sizes, scheme, expertDataParallel };
        }
      }
    }
  }
}

/** Triples TP, CP, DP whose product is the number of ranks of one stage. */
function* attentionMeshes(
  ranksOfStage: number,
  choices: (name: SizeName) => number[],
  limits: LayoutLimits,
): Generator<[number, number, number]> {
  const dataChoices = new Set(choices("dataParallel"));
  const contextChoices = choices("contextParallel");
  for (const tensorParallel of choices("tensorParallel")) {
    if (ranksOfStage % tensorParallel !== 0) continue;
    for (const contextParallel of contextChoices) {
      // Sequence parallelism splits over TP what context parallelism leaves.
      if (limits.sequenceLength % (tensorParallel * contextParallel) !== 0) continue;
      const dataParallel = ranksOfStage / (tensorParallel * contextParallel);
      if (dataChoices.has(dataParallel)) yield [tensorParallel, contextParallel, dataParallel];
    }
  }
}

/**
 * Rank numbers near `limits.ranks` for which some layout passes: the largest
 * below and the smallest above, as far as there are any.
 */
export function nearestRankCounts(
  limits: LayoutLimits,
  fixed: FixedSizes,
  accept: (layout: CandidateLayout) => boolean,
): number[] {
  const works = (ranks: number) =>
    enumerateLayouts({ ...limits, ranks }, fixed).some((layout) => accept(layout));
  const counts = productsNear(limits, fixed);
  const below = counts
    .filter((ranks) => ranks < limits.ranks)
    .reverse()
    .find(works);
  const above = counts.filter((ranks) => ranks > limits.ranks).find(works);
  return [below, above].filter((ranks) => ranks !== undefined);
}

/** Products TP·PP·DP (·CP when fixed) that a model and batch allow, ascending. */
function productsNear(limits: LayoutLimits, fixed: FixedSizes): number[] {
  // Rank counts above the asked one are of interest too.
  const anyRanks = { ...limits, ranks: Number.MAX_SAFE_INTEGER };
  const products = new Set<number>();
  for (const tp of sizesAllowed("tensorParallel", anyRanks, fixed)) {
    for (const pp of sizesAllowed("pipelineParallel", anyRanks, fixed)) {
      for (const dp of sizesAllowed("dataParallel", anyRanks, fixed)) {
        products.add(tp * pp * dp * (fixed.contextParallel ?? 1));
      }
    }
  }
  return [...products].sort((a, b) => a - b);
}
