import { legalValues } from "./size-rules.ts";
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
