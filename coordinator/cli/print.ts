import { table } from "../planner/text-table.ts";
import { hasUnicode } from "./view/terminal.ts";
import { clip, sanitize, toAscii } from "./view/text.ts";

/** One line for people, in the characters their terminal can show. */
export function printLine(line: string): void {
  console.log(hasUnicode(process.env) ? line : toAscii(line));
}

/**
 * A table for people; what others wrote cannot steer the terminal. On one its lines end
 * at the edge instead of being broken.
 */
export function printTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  columns = process.stdout.isTTY ? process.stdout.columns : undefined,
): void {
  const cells = [heading, ...rows].map((row) => row.map(sanitize));
  for (const line of table(cells)) printLine(columns ? clip(line, columns) : line);
}
