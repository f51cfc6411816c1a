/** A parsed config.json, or a section of one. */
export type Config = Record<string, unknown>;

/** Says which field of a config.json cannot be taken over, and why. */
export class UnsupportedConfigError extends Error {}

/** Whether a field says anything; Python writes None as null. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Refuses a field whose value changes what is computed and has no counterpart. */
export function refuseUnless(config: Config, field: string, allowed: readonly unknown[]): void {
  const value = config[field];
  if (value === undefined || allowed.includes(value)) return;
  throw new UnsupportedConfigError(
    `${field}: ${JSON.stringify(value)} is not supported, only ${JSON.stringify(allowed[0])}; change it or write the sizes inline`,
  );
}

/** A finite number above zero; `otherwise` where the field is absent. */
export function positive(config: Config, field: string, otherwise?: number): number {
  const value = config[field];
  if (!isGiven(value) && otherwise !== undefined) return otherwise;
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw wrong(field, value, "a number above 0");
}

/** A whole number of at least 1; `otherwise` where the field is absent. */
export function size(config: Config, field: string, otherwise?: number): number {
  const value = config[field];
  if (!isGiven(value) && otherwise !== undefined) return otherwise;
  if (isCount(value) && value > 0) return value;
  throw wrong(field, value, "a whole number above 0");
}

/** A whole number, 0 where the field is absent. */
export function count(config: Config, field: string): number {
  const value = config[field];
  if (!isGiven(value)) return 0;
  if (isCount(value)) return value;
  throw wrong(field, value, "a whole number from 0");
}

/** true or false; `otherwise` where the field is absent. */
export function flag(config: Config, field: string, otherwise = false): boolean {
  const value = config[field];
  if (!isGiven(value)) return otherwise;
  if (typeof value === "boolean") return value;
  throw wrong(field, value, "true or false");
}

/** A list of whole numbers, empty where the field is absent. */
export function counts(config: Config, field: string): number[] {
  const value = config[field];
  if (!isGiven(value)) return [];
  if (Array.isArray(value) && value.every(isCount)) return value;
  throw wrong(field, value, "a list of whole numbers");
}

/** A nested section of a config, such as DBRX's attn_config. */
export function section(config: Config, field: string): Config {
  const value = config[field];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Config;
  throw wrong(field, value, "an object");
}

export function wrong(field: string, value: unknown, wanted: string): UnsupportedConfigError {
  const shown = value === undefined ? "missing" : JSON.stringify(value);
  return new UnsupportedConfigError(`${field}: ${shown}, must be ${wanted}; correct the file`);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
