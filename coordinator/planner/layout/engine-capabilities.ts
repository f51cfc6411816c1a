import { joinAlternatives } from "../../spec/problems.ts";
import type { CandidateLayout, SizeName } from "./sizes.ts";

/**
 * What the PyTorch engine runs today, out of everything that is legal. Kept as
 * data and apart from legality: the engine grows, the rules stay.
 */
const ENGINE_CAPABILITIES = {
  schemes: ["edp"],
  sizes: { contextParallel: [1], expertTensorParallel: [1] },
} as const satisfies {
  schemes: readonly CandidateLayout["scheme"][];
  sizes: { [name in SizeName]?: readonly number[] };
};

/** The first thing about a layout that the engine cannot run, or nothing. */
export function whyNotRunnable(
  layout: CandidateLayout,
): { name: SizeName | "scheme"; message: string } | undefined {
  for (const [name, allowed] of Object.entries(ENGINE_CAPABILITIES.sizes)) {
    const value = layout[name as SizeName];
    if (allowed.some((size) => size === value)) continue;
    return {
      name: name as SizeName,
      message: `${value} is legal, but the engine does not run it yet; use ${joinAlternatives(allowed)}`,
    };
  }
  if (ENGINE_CAPABILITIES.schemes.some((scheme) => scheme === layout.scheme)) return undefined;
  return {
    name: "scheme",
    message: `${layout.scheme} (expertParallel ${layout.expertParallel} beside tensorParallel ${layout.tensorParallel}) is legal, but the engine does not run it yet; use ${joinAlternatives(ENGINE_CAPABILITIES.schemes)}, where expertParallel equals tensorParallel`,
  };
}

export function isRunnable(layout: CandidateLayout): boolean {
  return whyNotRunnable(layout) === undefined;
}
