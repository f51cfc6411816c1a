import { type Spread, spreadOf } from "./spread.ts";
import type { ArmResult, Results } from "./summarize.ts";

/** One arm less another, seed by seed: what the seed does to both falls out. */
export type Contrast = {
  name: string;
  validationLoss: Spread;
  dropRate: Spread;
  similarity: Spread;
};

/** Normalisation on less off under each balancing; adaptive less fixed under each gate. */
export function contrasts({ arms }: Results): Contrast[] {
  const gates = arms.flatMap((one) =>
    arms
      .filter((other) => one.arm.normalized && !other.arm.normalized)
      .filter((other) => one.arm.balancing.id === other.arm.balancing.id)
      .map((other) => contrast(`normalisation on − off, ${one.arm.balancing.name}`, one, other)),
  );
  const balancings = arms.flatMap((one) =>
    arms
      .filter(({ arm }) => arm.normalized === one.arm.normalized)
      .filter(({ arm }) => arm.balancing.coefficient !== undefined)
      .filter(() => one.arm.balancing.coefficient === undefined)
      .map((other) => {
        const gate = one.arm.normalized ? "on" : "off";
        return contrast(
          `adaptive − ${other.arm.balancing.name}, normalisation ${gate}`,
          one,
          other,
        );
      }),
  );
  return [...gates, ...balancings];
}

function contrast(name: string, one: ArmResult, other: ArmResult): Contrast {
  const less = (a: Spread, b: Spread) =>
    spreadOf(a.values.map((value, seed) => value - (b.values[seed] ?? Number.NaN)));
  return {
    name,
    validationLoss: less(one.validationLoss, other.validationLoss),
    dropRate: less(one.dropRate, other.dropRate),
    similarity: less(one.similarity, other.similarity),
  };
}
