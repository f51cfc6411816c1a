/** One figure over seeds. */
export type Spread = {
  mean: number;
  /** Sample standard deviation; 0 for one seed. */
  deviation: number;
  /** By seed. */
  values: number[];
};

export function spreadOf(values: readonly number[]): Spread {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  const deviation = Math.sqrt(squares / Math.max(1, values.length - 1));
  return { mean: middle, deviation, values: [...values] };
}

/** NaN of none. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
