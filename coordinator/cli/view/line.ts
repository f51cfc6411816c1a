import { clip, displayWidth, type Screen, toAscii } from "./text.ts";

const SGR = {
  bold: "1",
  dim: "2",
  cyan: "36",
  yellow: "33",
  magenta: "35",
  green: "32",
  blue: "34",
} as const;

export type Style = keyof typeof SGR;

/** A piece of a line in one style; text without control characters. */
export type Span = { text: string; style?: Style };
export type Line = readonly Span[];

export function span(text: string, style?: Style): Span {
  return style === undefined ? { text } : { text, style };
}

/**
 * The line as it is written: clipped to the screen, an ellipsis where something
 * is missing, escapes only where the screen has colour.
 */
export function renderLine(line: Line, screen: Screen): string {
  const spans = line.map(({ text, style }) => ({
    text: screen.unicode ? text : toAscii(text),
    style,
  }));
  const total = spans.reduce((sum, { text }) => sum + displayWidth(text), 0);
  const ellipsis = screen.unicode ? "…" : "~";
  let left = total > screen.columns ? screen.columns - 1 : screen.columns;
  let rendered = "";
  for (const { text, style } of spans) {
    const fitting = clip(text, left);
    left -= displayWidth(fitting);
    const styled = screen.color && style !== undefined && fitting !== "";
    rendered += styled ? `\u001b[${SGR[style]}m${fitting}\u001b[0m` : fitting;
    if (fitting.length < text.length) break;
  }
  return total > screen.columns ? rendered + ellipsis : rendered;
}

/** Fills lines with the parts in order, three columns between two of a line. */
export function wrap(parts: readonly Line[], screen: Screen): Line[] {
  const lines: Span[][] = [];
  let width = Number.POSITIVE_INFINITY;
  for (const part of parts) {
    const own = lineWidth(part, screen);
    const last = lines.at(-1);
    if (last === undefined || width + 3 + own > screen.columns) {
      lines.push([...part]);
      width = own;
    } else {
      last.push(span("   "), ...part);
      width += 3 + own;
    }
  }
  return lines;
}

function lineWidth(line: Line, screen: Screen): number {
  return line.reduce(
    (sum, { text }) => sum + displayWidth(screen.unicode ? text : toAscii(text)),
    0,
  );
}

/** One text at the left end, one at the right, which goes where both do not fit. */
export function spread(left: Line, right: Line, screen: Screen): Line {
  const gap = screen.columns - lineWidth(left, screen) - lineWidth(right, screen);
  return right.length === 0 || gap < 2 ? left : [...left, span(" ".repeat(gap)), ...right];
}
