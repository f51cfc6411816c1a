import { NUM_KINDS } from "./path-counts.ts";

/** Steps of the fictitious play that mixes the paths; more hardly raise the bound. */
const NUM_ROUNDS = 24;

/**
 * Multiplicative weights against the stage where a kind of work counts least: the
 * mean of the weights is a near-best mixture. Any mixture gives a valid bound.
 */
export function bestMixture(
  families: readonly Float64Array[],
  numStages: number,
  share: number,
): Float64Array {
  const size = NUM_KINDS * numStages;
  const mean = new Float64Array(families.length);
  let weights = new Float64Array(families.length).fill(1 / families.length);
  const sums = families.map((family) => family.reduce((a, b) => a + b, 0) / numStages);
  const rate = Math.sqrt(Math.log(families.length + 1) / NUM_ROUNDS) / numStages;
  const mixture = (by: Float64Array) => {
    const mixed = new Float64Array(size);
    for (const [index, family] of families.entries()) {
      const weight = by[index] as number;
      for (let at = 0; at < size; at++) {
        mixed[at] = (mixed[at] as number) + weight * (family[at] as number);
      }
    }
    return mixed;
  };
  for (let round = 0; round < NUM_ROUNDS; round++) {
    const mixed = mixture(weights);
    const where = [0, 1, 2];
    for (let at = NUM_KINDS; at < size; at++) {
      const kind = at % NUM_KINDS;
      if ((mixed[at] as number) < (mixed[where[kind] as number] as number)) where[kind] = at;
    }
    for (const [index, weight] of weights.entries()) {
      mean[index] = (mean[index] as number) + weight / NUM_ROUNDS;
    }
    const next = weights.map((weight, index) => {
      const family = families[index] as Float64Array;
      const lowest = where.reduce((total, at) => total + (family[at] as number), 0);
      const gain = (1 - share) * lowest + share * (sums[index] as number);
      return weight * Math.exp(rate * gain);
    });
    const total = next.reduce((a, b) => a + b, 0);
    weights = next.map((weight) => weight / total);
  }
  return mixture(mean);
}
