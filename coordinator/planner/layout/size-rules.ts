import { joinAlternatives, type Problem } from "../../spec/problems.ts";
import {
  divisors,
  type FixedSizes,
  type LayoutLimits,
  type SchemeName,
  type SizeName,
} from "./sizes.ts";

/** Says which rule a size breaks, or nothing. */
type Rule = (value: number, limits: LayoutLimits) => string | undefined;

const mustDivide =
  (total: (limits: LayoutLimits) => number, what: string): Rule =>
  (value, limits) =>
    total(limits) % value === 0 ? undefined : `does not divide ${total(limits)} ${what}`;

/**
 * The rules that concern one size alone, after Megatron-Core; those that bind
 * several sizes together are in enumerate-layouts.ts.
 */
const SIZE_RULES: Record<SizeName, readonly Rule[]> = {
  tensorParallel: [
    mustDivide((limits) => limits.heads, "attention heads"),
    (value, { kvHeads }) =>
      kvHeads % value === 0 || value % kvHeads === 0
        ? undefined
        : `neither divides ${kvHeads} key-value heads nor is a multiple of them`,
    mustDivide((limits) => limits.sequenceLength, "tokens of a sequence (sequence parallelism)"),
    mustDivide(
      (limits) => limits.denseFfnHiddenSize ?? 0,
      "columns of a dense layer (model.denseFfnHiddenSize)",
    ),
    mustDivide(
      (limits) => limits.sharedFfnHiddenSize ?? 0,
      "columns of the shared experts (model.sharedFfnHiddenSize)",
    ),
  ],
  contextParallel: [
    (value, { sequenceLength }) =>
      value === 1 || sequenceLength % (2 * value) === 0
        ? undefined
        : `needs a sequence length divisible by ${2 * value}, not ${sequenceLength}`,
  ],
  pipelineParallel: [
    (value, { layers }) =>
      value <= layers ? undefined : `is more than ${layers} layers, and every stage needs a layer`,
  ],
  dataParallel: [
    (value, { globalBatchSize, microBatchSize = 1 }) =>
      globalBatchSize % (value * microBatchSize) === 0
        ? undefined
        : `times micro-batch ${microBatchSize} does not divide a global batch of ${globalBatchSize} sequences`,
  ],
  expertParallel: [mustDivide((limits) => limits.experts, "experts")],
  expertTensorParallel: [
    mustDivide((limits) => limits.ffnHiddenSize, "columns of an expert (model.ffnHiddenSize)"),
  ],
};

export const SIZE_NAMES = Object.keys(SIZE_RULES) as SizeName[];

const dividesRanks: Rule = mustDivide((limits) => limits.ranks, "ranks (cluster.ranks)");

/** Under edp the tensor-parallel group is the expert-parallel group. */
const dividesExperts: Rule = mustDivide(
  (limits) => limits.experts,
  "experts, and scheme edp spreads them over the tensor-parallel ranks",
);

function rulesOf(name: SizeName, scheme?: SchemeName): readonly Rule[] {
  const isEdp = scheme === "edp" && name === "tensorParallel";
  return isEdp ? [...SIZE_RULES[name], dividesExperts] : SIZE_RULES[name];
}

/** Values a size may take on this many ranks, ascending. Always holds 1. */
export function legalValues(name: SizeName, limits: LayoutLimits, scheme?: SchemeName): number[] {
  const rules = rulesOf(name, scheme);
  return divisors(limits.ranks).filter((value) =>
    rules.every((rule) => rule(value, limits) === undefined),
  );
}

/** Values a size may take on any number of ranks up to `limits.ranks`. */
export function sizesAllowed(name: SizeName, limits: LayoutLimits, fixed: FixedSizes): number[] {
  const value = fixed[name];
  if (value !== undefined) return [value];
  const { heads, layers, globalBatchSize, ranks } = limits;
  // No rule lets a size pass the number it has to divide or stay under.
  const most = { tensorParallel: heads, pipelineParallel: layers, dataParallel: globalBatchSize };
  const end = Math.min(ranks, most[name as keyof typeof most] ?? ranks);
  const rules = rulesOf(name, fixed.scheme);
  return Array.from({ length: end }, (_, index) => index + 1).filter((size) =>
    rules.every((rule) => rule(size, limits) === undefined),
  );
}

/** One problem for every size fixed by hand that breaks a rule of its own. */
export function checkSizes(fixed: FixedSizes, limits: LayoutLimits): Problem[] {
  return SIZE_NAMES.flatMap((name) => {
    const value = fixed[name];
    if (value === undefined) return [];
    const broken = [...rulesOf(name, fixed.scheme), dividesRanks]
      .map((rule) => rule(value, limits))
      .find((text) => text !== undefined);
    if (broken === undefined) return [];
    const nearest = nearestTo(value, legalValues(name, limits, fixed.scheme));
    return [
      { path: ["layout", name], message: `${value} ${broken}; use ${joinAlternatives(nearest)}` },
    ];
  });
}

/** At most six values, the nearest by ratio, ascending. */
function nearestTo(value: number, legal: readonly number[]): number[] {
  const far = (other: number) => Math.abs(Math.log(other / value));
  return [...legal]
    .sort((a, b) => far(a) - far(b))
    .slice(0, 6)
    .sort((a, b) => a - b);
}
