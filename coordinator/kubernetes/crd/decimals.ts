/** A number at or above 0 as a string: `1.25`, `3e-4`. */
const DECIMAL = "(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]{1,3})?";

/** Longer than any number that means something. */
export const MAX_DECIMAL_LENGTH = 32;

/** What a decimal must look like; `words` are allowed in its place. */
export function decimalPattern(words: readonly (string | boolean)[]): string {
  return words.length === 0 ? `^${DECIMAL}$` : `^(${words.join("|")}|${DECIMAL})$`;
}

/** The job file's value as a MoETrainingJob writes it. */
export function decimalOf(value: unknown): unknown {
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
}

/** The job file's value of a decimal; undefined if it is none. */
export function valueOfDecimal(
  text: unknown,
  words: readonly (string | boolean)[],
): number | string | boolean | undefined {
  if (typeof text !== "string" || text.length > MAX_DECIMAL_LENGTH) return undefined;
  const word = words.find((one) => String(one) === text);
  if (word !== undefined) return word;
  // Text may say more than numbers hold.
  const isNumber = new RegExp(`^${DECIMAL}$`).test(text) && Number.isFinite(Number(text));
  return isNumber ? Number(text) : undefined;
}
