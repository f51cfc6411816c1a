import { readFile } from "node:fs/promises";
import { MoestroError } from "../../errors.ts";
import { type CsvTable, parseCsv } from "./csv.ts";
import { type Fields, RowProblem } from "./fields.ts";

/** The text of a CSV file that a person named. */
export async function readCsvText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "no such file" : `cannot be read (${code})`;
    throw new MoestroError("invalid_input", `${path}: ${why}; give a CSV of measured runs`);
  }
}

/** Fails with the file and the columns that it lacks. */
export function requireColumns(
  table: CsvTable,
  path: string,
  columns: readonly string[],
  kind = "this file",
): void {
  const has = new Set(table.columns);
  const missing = columns.filter((name) => !has.has(name));
  if (missing.length === 0) return;
  throw new MoestroError(
    "invalid_input",
    `${path}:1: columns ${missing.join(", ")} are missing; ${kind} needs ${columns.join(", ")}`,
  );
}

/** Reads every row of a file whose rows must all be right; fails with file, line and field. */
export async function readCsvRows<Row>(
  path: string,
  columns: readonly string[],
  read: (fields: Fields, line: number) => Row,
): Promise<Row[]> {
  const table = parseCsv(await readCsvText(path), path);
  requireColumns(table, path, columns);
  return table.rows.map((fields, index) => {
    const line = index + 2;
    try {
      return read(fields, line);
    } catch (error) {
      if (!(error instanceof RowProblem)) throw error;
      throw new MoestroError("invalid_input", `${path}:${line}: ${error.message}; correct it`);
    }
  });
}
