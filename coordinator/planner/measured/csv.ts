import { MoestroError } from "../../errors.ts";

/** A CSV file read: its header and one record a line, by column name. */
export interface CsvTable {
  columns: readonly string[];
  rows: readonly Record<string, string>[];
}

/** Reads comma-separated text with RFC 4180 quotes; a short line's last fields are empty. */
export function parseCsv(text: string, path: string): CsvTable {
  const [header, ...lines] = records(text.replace(/^\uFEFF/, ""));
  if (header === undefined || header.every((name) => name.trim() === "")) {
    throw new MoestroError("invalid_input", `${path}: the file is empty; give it a header line`);
  }
  const columns = header.map((name) => name.trim());
  const rows = lines
    .filter((fields) => fields.some((field) => field.trim() !== ""))
    .map((fields) =>
      Object.fromEntries(columns.map((name, index) => [name, (fields[index] ?? "").trim()])),
    );
  return { columns, rows };
}

/** A field as CSV has it: quoted where it holds a comma, a quote or a line break. */
export function csvField(value: string | number | null): string {
  const text = value === null ? "" : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function records(text: string): string[][] {
  const all: string[][] = [];
  let fields: string[] = [];
  let field = "";
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (isQuoted) {
      if (char !== '"') field += char;
      else if (text[i + 1] === '"') {
        field += '"';
        i++;
      } else isQuoted = false;
    } else if (char === '"') isQuoted = true;
    else if (char === ",") {
      fields.push(field);
      field = "";
    } else if (char === "\n") {
      fields.push(field);
      all.push(fields);
      fields = [];
      field = "";
    } else if (char !== "\r") field += char;
  }
  if (field !== "" || fields.length > 0) all.push([...fields, field]);
  return all;
}
