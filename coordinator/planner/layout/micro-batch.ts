/** Larger micro-batches speed up no kernel, but activations grow with them. */
const MAX_TOKENS = 8192;

/** Bubble a larger micro-batch may cost over the smallest, as a share of time. */
const MAX_SLOWDOWN = 0.1;

/**
 * Micro-batch sizes in the order to try them. First is the largest that has at most
 * 8192 tokens and lengthens an even pipeline's step, (m + p − 1)/m, by at most a tenth
 * over micro-batches of one sequence; then smaller ones, which hold less memory.
 *
 * @param sizes that the schedule can take, ascending, each dividing the replica's sequences
 */
export function preferredMicroBatches(
  sequencesPerReplica: number,
  numStages: number,
  sequenceLength: number,
  sizes: readonly number[],
): number[] {
  const stretch = (size: number) => 1 + ((numStages - 1) * size) / sequencesPerReplica;
  const fits = sizes.filter(
    (size) =>
      size * sequenceLength <= MAX_TOKENS && stretch(size) <= stretch(1) * (1 + MAX_SLOWDOWN),
  );
  return fits.length > 0 ? fits.reverse() : sizes.slice(0, 1);
}
