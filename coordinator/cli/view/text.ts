import { stripVTControlCharacters } from "node:util";

/** What a terminal can show. */
export type Screen = {
  columns: number;
  rows: number;
  color: boolean;
  /** Whether the locale's encoding is UTF-8; without it all text is ASCII. */
  unicode: boolean;
};

// Control characters, and those that turn the writing direction.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g;

/** One line of text that cannot steer the terminal, without runs of spaces. */
export function sanitize(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROL, " ").replace(/ {2,}/g, " ");
}

const ASCII: Record<string, string> = {
  α: "alpha",
  "–": "-",
  "—": "-",
  "…": "...",
  "×": "x",
  "·": "-",
  "✓": "+",
  "✕": "x",
  "’": "'",
  "“": '"',
  "”": '"',
};

/** The text as a terminal without UTF-8 can show it. */
export function toAscii(text: string): string {
  return text.replace(/[^\u0020-\u007e]/gu, (char) => ASCII[char] ?? "?");
}

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });

// East Asian wide and full-width blocks and the emoji (Unicode UAX #11).
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** Columns one grapheme takes. */
function graphemeWidth(grapheme: string): number {
  if (ZERO_WIDTH.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

// Latin, Greek, punctuation, arrows, lines and blocks: one column and one unit
// each, so that the slow segmentation is left to other scripts.
const NARROW =
  /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff\u0370-\u03ff\u2010-\u2027\u2190-\u21ff\u2500-\u259f]*$/;

/** Columns the text takes on a terminal. */
export function displayWidth(text: string): number {
  if (NARROW.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += graphemeWidth(segment);
  return width;
}

/** The beginning of the text that fits, without cutting a character in two. */
export function clip(text: string, columns: number): string {
  if (NARROW.test(text)) return text.slice(0, Math.max(0, columns));
  let width = 0;
  let end = 0;
  for (const { segment, index } of segmenter.segment(text)) {
    width += graphemeWidth(segment);
    if (width > columns) break;
    end = index + segment.length;
  }
  return text.slice(0, end);
}
