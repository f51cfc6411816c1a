/** Marks that draw figures in cells of text; pure, one cell one character. */

const BLOCKS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII_BLOCKS = ["_", ".", ":", "-", "=", "+", "*", "#"];

/** A cell whose height says where the value lies in 0..1; a space for no value. */
export function column(share: number, unicode: boolean): string {
  if (!Number.isFinite(share)) return " ";
  const blocks = unicode ? BLOCKS : ASCII_BLOCKS;
  const index = Math.round(Math.min(1, Math.max(0, share)) * (blocks.length - 1));
  return blocks[index] ?? " ";
}

/** The values' course over at most `width` cells, from their least to their most. */
export function sparkline(values: readonly number[], width: number, unicode: boolean): string {
  const shown = resample(values, width, mean);
  const finite = shown.filter(Number.isFinite);
  const low = Math.min(...finite);
  const range = Math.max(...finite) - low;
  return shown
    .map((value) => column(range > 0 ? (value - low) / range : value * 0, unicode))
    .join("");
}

/** A bar of exactly `width` cells whose filled part is the share 0..1. */
export function bar(share: number, width: number, unicode: boolean): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width) || 0;
  const [full, empty] = unicode ? ["█", "░"] : ["#", "."];
  return full.repeat(filled) + empty.repeat(width - filled);
}

/** At most `width` values, each made of as many neighbours as it stands for. */
export function resample(
  values: readonly number[],
  width: number,
  combine: (neighbours: readonly number[]) => number,
): number[] {
  if (values.length <= width) return [...values];
  return Array.from({ length: width }, (_, i) => {
    const from = Math.floor((i * values.length) / width);
    const to = Math.floor(((i + 1) * values.length) / width);
    return combine(values.slice(from, to));
  });
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
