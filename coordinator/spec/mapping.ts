/** A YAML mapping or JSON object, rather than a list or a value. */
export function isMapping(value: unknown): value is Record<string | number, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
