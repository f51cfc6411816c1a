/** The few escape sequences the live view speaks. */

export const ESC = "\u001b";
export const HIDE_CURSOR = `${ESC}[?25l`;
export const SHOW_CURSOR = `${ESC}[?25h`;
/** The terminal shows what lies between the two at once, or ignores them. */
export const BEGIN_FRAME = `${ESC}[?2026h`;
export const END_FRAME = `${ESC}[?2026l`;
export const ERASE_LINE = `${ESC}[K`;
export const ERASE_BELOW = `${ESC}[J`;
export const CLEAR = `${ESC}[H${ESC}[2J`;

/** To the start of the line so many lines up. */
export function cursorUp(lines: number): string {
  return lines > 0 ? `${ESC}[${lines}A\r` : "\r";
}
