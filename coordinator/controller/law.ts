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
