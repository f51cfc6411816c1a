/** How a layer's coefficient follows its drop rate. */
export interface LawOptions {
  /** The xi of f(d) = min(xi·d, alpha_max). */
  gain: number;
  /** alpha_max. */
  maxCoefficient: number;
  /** The beta of the moving average. */
  smoothing: number;
}

/**
 * Skywork-MoE's adaptive coefficient (arXiv 2406.06563, section 3.2):
 * alpha_{i+1} = beta·alpha_i + (1 − beta)·min(xi·d_i, alpha_max).
 *
 * @param coefficient alpha_i
 * @param dropRate d_i, dropped over routed assignments of one step, 0..1
 */
export function adaptCoefficient(
  coefficient: number,
  dropRate: number,
  options: LawOptions,
): number {
  const { gain, maxCoefficient, smoothing } = options;
  const target = Math.min(gain * dropRate, maxCoefficient);
  return smoothing * coefficient + (1 - smoothing) * target;
}

/**
 * DeepSeek-V3's balancing without an auxiliary loss (arXiv 2412.19437, section
 * 2.1.2): a bias rises by `speed` where an expert got less than the mean of its
 * layer, and falls by it where it got more.
 *
 * @param biases b_e of one layer, by expert
 * @param load assignments of each expert in one step
 * @param speed gamma
 */
export function stepBiases(
  biases: readonly number[],
  load: readonly number[],
  speed: number,
): number[] {
  const total = load.reduce((sum, count) => sum + count, 0);
  // Whole numbers compare exactly where a mean would be rounded.
  return biases.map((bias, e) => bias + speed * Math.sign(total - (load[e] ?? 0) * load.length));
}
