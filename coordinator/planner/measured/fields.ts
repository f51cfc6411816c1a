/** One row of a CSV file: text by column name. */
export type Fields = Record<string, string>;

/** The reason a row cannot be used; caught where rows are read. */
export class RowProblem extends Error {}

/** A positive number of a field, undefined when it is empty. */
export function numberOf(fields: Fields, name: string): number | undefined {
  const text = fields[name] ?? "";
  if (text === "") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) {
    throw new RowProblem(`${name} is "${text}", not a positive number`);
  }
  return value;
}

export function requiredNumber(fields: Fields, name: string): number {
  const value = numberOf(fields, name);
  if (value === undefined) throw new RowProblem(`${name} is empty`);
  return value;
}

/** The same for counts. */
export function countOf(fields: Fields, name: string): number | undefined {
  const value = numberOf(fields, name);
  if (value !== undefined && !Number.isInteger(value)) {
    throw new RowProblem(`${name} is ${value}, not a whole number`);
  }
  return value;
}

export function requiredCount(fields: Fields, name: string): number {
  const value = countOf(fields, name);
  if (value === undefined) throw new RowProblem(`${name} is empty`);
  return value;
}
