/** The few escape sequences the live view speaks. */

export const ESC = "\u001b";
export const HIDE_CURSOR = `${ESC}[?25l`;
export const SHOW_CURSOR = `${ESC}[?25h`;
/** The terminal shows what lies between the two at once, or ignores them. */
export const BEGIN_FRAME = `${ESC}[?2026h`;
export const END_FRAME = `${ESC}[?2026l`;
export const ERASE_LINE = `${ESC}[K`;
export const ERASE_BELOW = `${ESC}[J`;
export const CURSOR_HOME = `${ESC}[H`;
/** The terminal's second screen, and back to the first as it was. */
export const ENTER_SCREEN = `${ESC}[?1049h`;
export const LEAVE_SCREEN = `${ESC}[?1049l`;
export const CLEAR = `${CURSOR_HOME}${ESC}[2J`;

/** To the start of the line so many lines up. */
export function cursorUp(lines: number): string {
  return lines > 0 ? `${ESC}[${lines}A\r` : "\r";
}
