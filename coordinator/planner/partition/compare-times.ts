/** Times that differ by less are the same up to rounding. */
export const RELATIVE_TOLERANCE = 1e-9;

/** Shorter by more than rounding. */
export function isShorter(a: number, b: number): boolean {
  return a < b * (1 - RELATIVE_TOLERANCE);
}
