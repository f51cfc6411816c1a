/** A line with what a caller said in it, as one line: nothing in it moves a terminal's cursor. */
export function printable(line: string): string {
  return line.replaceAll(/\p{Cc}+/gu, " ");
}
