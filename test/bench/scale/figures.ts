/** The value that a share of all are no greater than, 0..1. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The straight line nearest to the points, and the share of their variance it explains. */
export function linearFit(points: readonly (readonly [x: number, y: number])[]) {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(points.map(([x]) => x));
  const meanY = mean(points.map(([, y]) => y));
  const sum = (term: (x: number, y: number) => number) =>
    points.reduce((total, [x, y]) => total + term(x - meanX, y - meanY), 0);
  const slope = sum((x, y) => x * y) / sum((x) => x * x);
  const intercept = meanY - slope * meanX;
  const residual = sum((x, y) => (y - slope * x) ** 2);
  const spread = sum((_, y) => y * y);
  return { slope, intercept, explained: spread === 0 ? 1 : 1 - residual / spread };
}
