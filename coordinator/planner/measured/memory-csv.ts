import { readFile } from "node:fs/promises";
import { MoestroError } from "../../errors.ts";
import { parseCsv } from "./csv.ts";

/** One row of a CSV file by column name, with the line it stands on. */
export interface CsvRecord {
  line: number;
  /** Text of a column; "" when the row leaves it empty. */
  text: (column: string) => string;
  /** A positive number, or the value for an empty field. */
  number: (column: string, whenEmpty?: number) => number;
}

/** Reads a CSV file with a header line; fails with file, line and column. */
export async function readCsv(path: string, columns: readonly string[]): Promise<CsvRecord[]> {
  const table = parseCsv(await readText(path), path);
  const missing = columns.filter((column) => !table.columns.includes(column));
  if (missing.length > 0) {
    throw new MoestroError(
      "invalid_input",
      `${path}:1: lacks the column ${missing.join(", ")}; add it`,
    );
  }
  return table.rows.map((fields, index) => csvRecord(path, index + 2, fields));
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? ` (${error.code})` : "";
    throw new MoestroError(
      "invalid_input",
      `${path}: cannot be read${reason}; name a folder that holds it`,
    );
  }
}

function csvRecord(path: string, line: number, fields: Record<string, string>): CsvRecord {
  const text = (column: string) => fields[column] ?? "";
  const number = (column: string, whenEmpty?: number) => {
    const field = text(column);
    if (field === "" && whenEmpty !== undefined) return whenEmpty;
    const value = Number(field);
    if (field !== "" && Number.isFinite(value) && value > 0) return value;
    throw new MoestroError(
      "invalid_input",
      `${path}:${line}: ${column}: "${field}" is not a positive number; correct it`,
    );
  };
  return { line, text, number };
}
