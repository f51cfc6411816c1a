import { divisors } from "./sizes.ts";

/** Larger micro-batches speed up no kernel, but activations grow with them. */
const MAX_TOKENS = 8192;

/** Bubble a larger micro-batch may cost over the smallest, as a share of time. */
const MAX_SLOWDOWN = 0.1;

/**
 * The largest micro-batch that divides a replica's share of the batch, has at
 * most 8192 tokens, and lengthens an even pipeline's step, (m + p − 1)/m, by at
 * most a tenth over micro-batches of one sequence.
 */
export function pickMicroBatchSize(
  sequencesPerReplica: number,
  numStages: number,
  sequenceLength: number,
): number {
  const stretch = (size: number) => 1 + ((numStages - 1) * size) / sequencesPerReplica;
  const fits = divisors(sequencesPerReplica).filter(
    (size) =>
      size * sequenceLength <= MAX_TOKENS && stretch(size) <= stretch(1) * (1 + MAX_SLOWDOWN),
  );
  return fits.at(-1) ?? 1;
}
