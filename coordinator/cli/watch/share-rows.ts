/** A part of a screen that can have more or fewer rows. */
export type Part = {
  /** With fewer it is not worth showing. */
  least: number;
  /** All it has to show. */
  most: number;
};

/**
 * Rows of each part, together at most `budget`: first the least of each, those in front
 * first, then what is left one by one. Pure.
 */
export function shareRows(parts: readonly Part[], budget: number): number[] {
  let left = budget;
  const rows = parts.map(({ least, most }) => {
    if (most === 0 || Math.min(least, most) > left) return 0;
    left -= Math.min(least, most);
    return Math.min(least, most);
  });
  for (let gave = true; left > 0 && gave; ) {
    gave = false;
    for (const [i, { most }] of parts.entries()) {
      const own = rows[i] ?? 0;
      if (left === 0 || own === 0 || own >= most) continue;
      rows[i] = own + 1;
      left -= 1;
      gave = true;
    }
  }
  return rows;
}
